"""Pictures on screen at chosen seconds for the least decoding: keyframe groups are planned, what comes is checked."""

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from longpanda.video.content import Content, content_of
from longpanda.video.gop import GopDecoder, SurpriseError
from longpanda.video.timeline import LOST, Timeline

_SURPRISES_EXPECTED = 2


@dataclass(frozen=True)
class Shown:
    """A decoded picture and when it is shown.

    Args:
        frame: a PyAV frame.
        ticks: on the time line's clock.
        number: its packet; `LOST` where the decoder does not say which that is.
    """

    frame: Any
    ticks: int
    number: int


@dataclass(frozen=True)
class Target:
    """What is asked for.

    Args:
        number: its place among the seconds.
        asked: when.
        ticks: that of the keyframe which is taken instead, or the same.
        place: the picture that the time line has on screen then.
    """

    number: int
    asked: int
    ticks: int
    place: int


class GopReader:
    """Answers "which picture is on screen at this second" from the time line, and decodes only what it must.

    Seconds of one keyframe group are answered together: decoding starts with the keyframe, ends with the last wanted
    picture, and drops pictures on the way that no other refers to. Where decoding gives something else than the
    packets promised (damage, two packets for one picture, invisible pictures, a keyframe that is none, a time that is
    slightly wrong), all of the group is decoded to see what there is, and again to give it out.

    Args:
        decoder: the groups of an open file.
        timeline: its pictures, whose times tell their order.
        first: the first picture that decodes; on screen before it, too, unless the file begins damaged.
        tolerance_seconds: the nearest keyframe is taken instead of the picture on screen if it is no further than this,
            and whole.
        begins_damaged: does the file's first keyframe not decode? Then nothing is on screen before `first`.
    """

    def __init__(
        self,
        decoder: GopDecoder,
        timeline: Timeline,
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
        """The picture on screen at each second, or None where the file is damaged or over.

        Args:
            seconds: from the start of the stream, never decreasing; those of one keyframe group are taken together.

        Yields:
            the number of the second and its picture: the same packet at the same time while it stays on screen.
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
        """All pictures, in order of display."""
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
        """What to give for a time: the picture on screen, or a keyframe near."""
        near = self._timeline.key_near(ticks, self._tolerance_ticks) if self._tolerance_ticks else None
        if near is None:
            return Target(number, ticks, ticks, self._timeline.place_at(ticks))
        return Target(number, ticks, int(self._timeline.times[near]), near)

    def _show(self, batch: list[Target]) -> Iterator[tuple[int, Shown | None]]:
        """Answers for one group: as planned, and from the first surprise on by what there is."""
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
        """Pictures of a group. Raises SurpriseError at the first that does not come, or is expected not to come."""
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
        """Answers from what a group holds; a picture that is not there leaves the one before it on screen."""
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
        """The group and the packet to show, or `LOST`; where the keyframe near is damaged, the exact picture's."""
        found = self._on_screen(target.ticks, target.place)
        if found[1] == LOST and target.asked != target.ticks:
            return self._on_screen(target.asked, self._timeline.place_at(target.asked))
        return found

    def _on_screen(self, ticks: int, place: int) -> tuple[int, int]:
        """The group and the packet of the picture on screen, or `LOST`; `place` is where the time line has it."""
        start: int | None = self._start(place)
        while start is not None:
            content = self._content(start)
            at = bisect_right(content.times, ticks) - 1
            if at >= 0:
                return start, content.numbers[at]
            start = self._timeline.start_before(start)
        return 0, LOST

    def _as_inspected(self, start: int, wanted: list[int]) -> Generator[Shown]:
        """Pictures of which it is known that they come."""
        if not wanted:
            return
        content = self._content(start)
        time_of = dict(zip(content.numbers, content.times, strict=True))
        with closing(self._decoder.inspected(content.begin, wanted, content.is_damaged)) as frames:
            for number, frame in zip(wanted, frames, strict=False):
                yield Shown(frame, time_of[number], number)

    def _content(self, start: int) -> Content:
        """What a group holds; two groups are remembered."""
        if start not in self._inspected:
            content = content_of(self._decoder.inspect(start), self._timeline, start)
            self.damaged.update(content.damaged)
            self._inspected = {**dict([*self._inspected.items()][-1:]), start: content}
            if content.is_as_planned:
                self._surprises = 0
        return self._inspected[start]
