"""Find the pictures on screen at chosen seconds with the least decoding: plan keyframe groups, check what comes."""

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from longpanda.video.content import Content, content_of
from longpanda.video.display_order import LOST, DisplayOrder
from longpanda.video.gop import GopDecoder, SurpriseError

_SURPRISES_EXPECTED = 2


@dataclass(frozen=True)
class Shown:
    """A decoded picture and its time.

    Args:
        frame: a PyAV frame.
        ticks: when it is shown, on the timeline's clock.
        number: its packet; `LOST` if the decoder does not tell it.
    """

    frame: Any
    ticks: int
    number: int


@dataclass(frozen=True)
class Target:
    """A requested second.

    Args:
        number: its index among the seconds.
        asked: its time in ticks.
        ticks: the time of the keyframe that is taken instead, or the same.
        place: the place of the picture on screen then, on the timeline.
    """

    number: int
    asked: int
    ticks: int
    place: int


class GopReader:
    """Finds the picture on screen at each second on the timeline, and decodes only what it must.

    Seconds of one keyframe group are answered together: decoding starts with the keyframe, ends with the last requested
    picture, and skips pictures to which no other refers. If decoding gives something else than the packets promise
    (damage, two packets for one picture, invisible pictures, a false keyframe, a slightly wrong time), the whole group
    is decoded to inspect it, and again to return its pictures.

    Args:
        decoder: decodes the groups of an open file.
        timeline: the file's pictures, whose times tell their order.
        first: the first picture that decodes; also on screen before its time, unless the file begins damaged.
        tolerance_seconds: the largest distance of an intact keyframe that replaces the picture on screen.
        begins_damaged: whether the file's first keyframe does not decode; then nothing is on screen before `first`.
    """

    def __init__(
        self,
        decoder: GopDecoder,
        timeline: DisplayOrder,
        first: Shown,
        tolerance_seconds: float = 0.0,
        begins_damaged: bool = False,
    ) -> None:
        self._decoder, self._timeline, self._first = decoder, timeline, first
        self._first_until = int(timeline.times[0]) - 1 if begins_damaged else first.ticks
        self._tolerance_ticks = int(tolerance_seconds / timeline.time_base)
        self._inspected: dict[int, Content] = {}
        self._surprises = 0
        self.damaged: set[int] = set()

    def answers(self, seconds: Iterable[float]) -> Iterator[tuple[int, Shown | None]]:
        """Yield the number of each second and the picture on screen, or None if the file is damaged or over.

        Args:
            seconds: from the start of the stream, never decreasing; those of one keyframe group are taken together.
        """
        batch: list[Target] = []
        for number, second in enumerate(seconds):
            ticks = self._timeline.ticks_of(second)
            is_first = ticks <= self._first_until
            is_known = is_first or ticks > self._timeline.end
            target = None if is_known else self._target(number, ticks)
            if batch and (target is None or self._start(batch[0].place) != self._start(target.place)):
                yield from self._show(batch)
                batch = []
            if target is None:
                yield number, self._first if is_first else None
            else:
                batch.append(target)
        if batch:
            yield from self._show(batch)

    def every(self) -> Iterator[Shown]:
        """Yield all pictures, in display order."""
        for start in dict.fromkeys(self._timeline.starts.tolist()):
            places = self._timeline.places_from(start)
            wanted = [int(number) for number in self._timeline.numbers[places] if number != LOST]
            given: set[int] = set()
            try:
                for shown in self._as_planned(start, wanted):
                    given.add(shown.number)
                    yield shown
            except SurpriseError:
                content = self._content(start)
                rest = [number for number in content.numbers if number != LOST and number not in given]
                yield from self._as_inspected(start, rest)

    def _start(self, place: int) -> int:
        return int(self._timeline.starts[place])

    def _target(self, number: int, ticks: int) -> Target:
        """The picture on screen at a time, or a keyframe within the tolerance."""
        near = self._timeline.key_near(ticks, self._tolerance_ticks) if self._tolerance_ticks else None
        if near is None:
            return Target(number, ticks, ticks, self._timeline.place_at(ticks))
        return Target(number, ticks, int(self._timeline.times[near]), near)

    def _show(self, batch: list[Target]) -> Iterator[tuple[int, Shown | None]]:
        """Answer the seconds of one group: as planned, and after a surprise by what the group holds."""
        start, done, last = self._start(batch[0].place), 0, None
        numbers = [int(self._timeline.numbers[target.place]) for target in batch]
        try:
            frames = self._as_planned(start, [number for number in dict.fromkeys(numbers) if number != LOST])
            with closing(frames):
                for target, number in zip(batch, numbers, strict=True):
                    if number != LOST and (last is None or last.number != number):
                        last = next(frames)
                    yield target.number, None if number == LOST else last
                    done += 1
        except SurpriseError:
            yield from self._by_content(batch[done:])

    def _as_planned(self, start: int, wanted: list[int]) -> Generator[Shown]:
        """Yield pictures of a group. Raises SurpriseError if one does not come, or is expected not to."""
        if not wanted:
            return
        if self._surprises >= _SURPRISES_EXPECTED or self._timeline.is_doubtful(start):
            raise SurpriseError("expected")
        try:
            with closing(self._decoder.promised(start, wanted)) as frames:
                for number, frame in zip(wanted, frames, strict=True):
                    yield Shown(frame, self._timeline.time_of(number), number)
        except SurpriseError:
            self._surprises += 1
            raise
        self._surprises = 0

    def _by_content(self, batch: list[Target]) -> Iterator[tuple[int, Shown | None]]:
        """Answer by what a group holds; a missing picture leaves the one before it on screen."""
        found = [self._found(target) for target in batch]
        for start, run in groupby(zip(batch, found, strict=True), key=lambda pair: pair[1][0]):
            pairs = [(target.number, number) for target, (_, number) in run]
            wanted = [number for number in dict.fromkeys(number for _, number in pairs) if number != LOST]
            shown: Shown | None = None
            with closing(self._as_inspected(start, wanted)) as pictures:
                for answer, number in pairs:
                    if number != LOST and (shown is None or shown.number != number):
                        shown = next(pictures, None)
                    yield answer, None if number == LOST else shown

    def _found(self, target: Target) -> tuple[int, int]:
        """The group and the packet to show, or `LOST`; the exact picture's if the near keyframe is damaged."""
        found = self._on_screen(target.ticks, target.place)
        if found[1] == LOST and target.asked != target.ticks:
            return self._on_screen(target.asked, self._timeline.place_at(target.asked))
        return found

    def _on_screen(self, ticks: int, place: int) -> tuple[int, int]:
        """The group and the packet of the picture on screen, or `LOST`; `place` is its place on the timeline."""
        start: int | None = self._start(place)
        while start is not None:
            content = self._content(start)
            at = bisect_right(content.times, ticks) - 1
            if at >= 0:
                return start, content.numbers[at]
            start = self._timeline.start_before(start)
        return 0, LOST

    def _as_inspected(self, start: int, wanted: list[int]) -> Generator[Shown]:
        """Yield pictures that the inspection of the group has found."""
        if not wanted:
            return
        content = self._content(start)
        time_of = dict(zip(content.numbers, content.times, strict=True))
        with closing(self._decoder.inspected(content.begin, wanted, content.is_damaged)) as frames:
            for number, frame in zip(wanted, frames, strict=False):
                yield Shown(frame, time_of[number], number)

    def _content(self, start: int) -> Content:
        """The content of a group; those of two groups are cached."""
        if start not in self._inspected:
            content = content_of(self._decoder.inspect(start), self._timeline, start)
            self.damaged.update(content.damaged)
            self._inspected = {**dict([*self._inspected.items()][-1:]), start: content}
            if content.is_as_planned:
                self._surprises = 0
        return self._inspected[start]
