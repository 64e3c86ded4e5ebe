"""Read pictures in the decoder's order from the start of the file, if times do not tell their order."""

from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from longpanda.video.display_order import DisplayOrder
from longpanda.video.gop import GopDecoder
from longpanda.video.gop_reader import Shown


class SequentialReader:
    """Answers as `GopReader` does, by decoding everything from the first packet on.

    It serves files whose packets have no display times (AVI, ASF, bare streams with B pictures), and decoders that do
    not tell a picture's packet: the n-th picture of the decoder is shown at the n-th time at which some picture begins.
    Nothing can be skipped, so a second costs all the decoding before it. `first` is the first picture that decodes.
    """

    def __init__(self, decoder: GopDecoder, timeline: DisplayOrder, first: Shown) -> None:
        self._decoder, self._timeline, self._first = decoder, timeline, first
        self.damaged: set[int] = set()

    def answers(self, seconds: Iterable[float]) -> Iterator[tuple[int, Shown | None]]:
        """The picture on screen at each second, or None if the file is damaged or over; seconds never decrease."""
        pictures = self._slots()
        held, ahead = next(pictures, None), next(pictures, None)
        for number, second in enumerate(seconds):
            ticks = self._timeline.ticks_of(second)
            if ticks <= self._first.ticks:
                yield number, self._first
                continue
            while ahead is not None and ahead[0] <= ticks:
                held, ahead = ahead, next(pictures, None)
            is_over = held is None or ticks > self._timeline.end
            yield number, None if is_over or held is None else held[1]

    def every(self) -> Iterator[Shown]:
        """Yield all pictures, in the decoder's order."""
        return (shown for _, shown in self._slots() if shown is not None)

    def _slots(self) -> Iterator[tuple[int, Shown | None]]:
        """Each time at which a picture begins, with the picture, or None if a packet does not decode."""
        times = self._timeline.times.tolist()
        begins = chain(times, repeat(times[-1]))
        self._decoder.renew()
        for number, frame in self._decoder.decode(0, len(self._timeline.table) - 1):
            ticks = next(begins)
            is_bad = frame is None or frame.is_corrupt
            if is_bad:
                self.damaged.add(ticks)
            yield ticks, None if is_bad else Shown(frame, ticks, number)
