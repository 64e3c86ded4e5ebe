"""Identify a picture among those that FFmpeg decodes, and when it should be shown."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from benchmarks.corpus.case import Case
from benchmarks.corpus.counter import SIZE_PX, Pixels, number_in, numbered
from benchmarks.corpus.ffmpeg import Walked
from benchmarks.corpus.film import Film
from benchmarks.corpus.ways import MOST_QUESTIONS
from longpanda.video import probe

GRID_PX = 8
ALIKE = 6.0
"""Largest mean difference, out of 255, of two small grey pictures that may be the same, scaled by two programs."""
NEARLY_LEAST = 1.0
"""Pictures without a number that differ by up to this much more than the most similar one are also candidates."""
UNKNOWN = -1
MOST_ERRORS = 64
SHORTEST_SECONDS = 1e-3
MOST_NUMBERS = 1024
"""A higher number is a sign of damage."""


class Plain(NamedTuple):
    """What a plain reader gets: pictures marked as corrupt, with their times, and the total number."""

    marked: Pixels
    seconds: list[float]
    total: int


def as_made(film: Film) -> Walked:
    """Return what FFmpeg would show of an unedited film."""
    pixels = np.stack([numbered(film.first + place) for place in range(film.count)])
    return Walked(pixels, [film.second_of(film.first + place) for place in range(film.count)], film.size_px)


class Reference:
    """FFmpeg's pictures of one file.

    A picture is identified by its pixels and the number drawn on it, or by its pixels alone in files from elsewhere and
    if damage makes the number unreadable. Its place is its position among FFmpeg's pictures.

    Args:
        shown: FFmpeg's pictures.
        case: the case of the corpus, or None for another file.
    """

    def __init__(self, shown: Walked, case: Case | None) -> None:
        has_numbers = case is not None and not case.is_damaged
        self._numbers = [_drawn(pixels) if has_numbers else None for pixels in shown.pixels]
        self._is_damaged = case is None or case.is_damaged
        self._looks = _small(shown.pixels)
        self.size_px = shown.size_px
        self.seconds = _true_seconds(shown, case, self._numbers)
        may_miss = case.may_miss if case else frozenset()
        self.excused = {place for place, number in enumerate(self._numbers) if number in may_miss}

    def __len__(self) -> int:
        return len(self._numbers)

    def names(self, places: Sequence[int]) -> str:
        """Format the numbers of pictures, with consecutive ones as a range."""
        spans: list[str] = []
        start = 0
        for at in range(1, len(places) + 1):
            if at == len(places) or places[at] != places[at - 1] + 1:
                first, last = self._name(places[start]), self._name(places[at - 1])
                spans.append(first if first == last else f"{first}-{last}")
                start = at
        return " ".join(spans[:12]) + (" ..." if len(spans) > 12 else "")

    def _name(self, place: int) -> str:
        if place < 0:
            return "another"
        number = self._numbers[place]
        return str(number) if number is not None else f"#{place}"

    def places_of(self, pixels: Pixels, seconds: Sequence[float] | None = None, hint: int | None = None) -> list[int]:
        """Return the place of each of some pictures in order, or `UNKNOWN` if FFmpeg does not show it.

        Args:
            pixels: uint8 [T, H, W, 3].
            seconds: their times, a hint among similar pictures.
            hint: the expected place of the first.
        """
        places: list[int] = []
        after = UNKNOWN if hint is None else hint - 1
        for at, looks in enumerate(_small(pixels)):
            number = _drawn(pixels[at]) if any(known is not None for known in self._numbers) else None
            found = self._candidates(number, looks)
            later = [place for place in found if place > after]
            near = self._nearest(later, None if seconds is None or number is not None else seconds[at])
            place = near if near is not None else (found[-1] if found else UNKNOWN)
            places.append(place)
            after = max(after, place)
        return places

    def _candidates(self, number: int | None, looks: Pixels) -> list[int]:
        """Return the places of pictures that look alike and have the same number, if any."""
        if not len(self):
            return []
        off = np.abs(self._looks.astype(np.float32) - looks).mean(axis=(1, 2))
        least = off.min() + NEARLY_LEAST
        alike = [int(place) for place in np.flatnonzero(off <= ALIKE)]
        if number is not None and number in self._numbers:
            return [place for place in alike if self._numbers[place] == number]
        return [place for place in alike if number is None and off[place] <= least]

    def _nearest(self, places: Sequence[int], second: float | None) -> int | None:
        """Return the place nearest to a time, or the first without a time."""
        timed = [
            (abs(known - second), place)
            for place in places
            if second is not None and (known := self.seconds[place]) is not None
        ]
        if timed:
            return min(timed)[1]
        return places[0] if places else None

    def questions(self, excused: set[int], starts: float) -> tuple[list[float], list[int]]:
        """Return the middles of the pictures' times on screen, in seconds, and their places; some, if there are many.

        Damage may end a picture's time on screen early, so that nothing is shown at its middle.
        """
        known = [(second, place) for place, second in enumerate(self.seconds) if second is not None]
        known.sort(key=lambda one: one[0])
        intervals = [later[0] - sooner[0] for sooner, later in pairwise(known)]
        usual = float(np.median(intervals)) if intervals else 0.0
        asked = []
        for (second, place), interval in zip(known, [*intervals, usual / 2], strict=True):
            middle = starts + second + (min(interval, usual) if self._is_damaged else interval) / 2
            if middle >= 0 and (interval > SHORTEST_SECONDS or len(known) == 1) and place not in excused:
                asked.append((middle, place))
        kept = asked[:: 1 + len(asked) // MOST_QUESTIONS]
        return [second for second, _ in kept], [place for _, place in kept]

    def end_seconds(self) -> tuple[float | None, float]:
        """Return when the last picture ends, and its duration, as far as they are known."""
        known = sorted(second for second in self.seconds if second is not None)
        if len(known) < 2 or known[0] == known[-1]:
            return None, 0.0
        return known[-1] + (known[-1] - known[-2]), known[-1] - known[-2]


def _true_seconds(shown: Walked, case: Case | None, numbers: Sequence[int | None]) -> list[float | None]:
    """Return times from second 0: those of the film, or those of FFmpeg for other files."""
    timed = [second for second in shown.pts_seconds if second is not None]
    if case is None or case.is_damaged or not case.is_timed:
        start = min(timed, default=0.0)
        return [None if second is None else second - start for second in shown.pts_seconds]
    if case.is_timed_by_place:
        return [case.true_second(place) for place in range(len(numbers))]
    known = [None if number is None else case.true_second(number) for number in numbers]
    first = min((second for second in known if second is not None), default=0.0)
    return [None if second is None else second - first for second in known]


def _drawn(pixels: Pixels) -> int | None:
    """Return the number on a picture, or None if no film has such a number."""
    number = number_in(pixels)
    return number if number is not None and number < MOST_NUMBERS else None


def _small(pixels: Pixels) -> Pixels:
    """Return small grey pictures: uint8 [T, h, w]."""
    height_px, width_px = SIZE_PX
    shape = (len(pixels), height_px // GRID_PX, GRID_PX, width_px // GRID_PX, GRID_PX * 3)
    small: Pixels = pixels.reshape(shape).mean(axis=(2, 4)).astype(np.uint8)
    return small


def plain_walk(path: Path) -> Plain:
    """Return the pictures that the container or decoder marks as corrupt, and the total number of pictures.

    LongPanda reports such pictures as damaged and shows none in their place.
    """
    marked: list[Pixels] = []
    seconds: list[float] = []
    count, start = 0, None
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams[probe(path).stream_index]
        stream.codec_context.thread_count = 1
        for frame in _decoded(container, stream):
            count += 1
            second = frame.time if frame.time is not None else 0.0
            start = second if start is None else min(start, second)
            if frame.is_corrupt:
                marked.append(frame.reformat(SIZE_PX[1], SIZE_PX[0], "rgb24").to_ndarray())
                seconds.append(second)
    pixels = np.stack(marked) if marked else np.empty((0, *SIZE_PX, 3), np.uint8)
    return Plain(pixels, [second - (start or 0.0) for second in seconds], count)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Yield every picture, skipping packets that cannot be decoded."""
    for packet in _demuxed(container, stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def _demuxed(container: Any, stream: Any) -> Iterator[Any]:
    """Yield every packet, skipping errors of the container unless too many occur in a row."""
    errors = 0
    while errors < MOST_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                yield packet
        except av.error.FFmpegError:
            errors += 1
        else:
            return
