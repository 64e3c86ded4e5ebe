"""Parts of one video decoded in order by one worker or several, each with the file open for itself."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError
from longpanda.types import Frames, Seconds
from longpanda.video.opened import DecodeSpec, OpenVideo, TimedFrame, warn_of_damage

Numbers = npt.NDArray[np.int64]
MOST_WORKERS = 64
SEVERAL_KEYFRAMES = 4


@dataclass(frozen=True, eq=False)
class ChunkRequest:
    """Some of the wanted seconds, and where their frames go.

    Args:
        first: the number of the first of them among all wanted seconds.
        times: float64 [N], in order.
        out: uint8 [N, H, W, 3] to write to; None: an array is made when the first frame arrives.
    """

    first: int
    times: Seconds
    out: Frames | None = None


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """The frames of one part.

    Args:
        frames: uint8 [T, H, W, 3], T <= N: a view of the array given.
        pts_seconds: float64 [T].
        numbers: int64 [T], which of all wanted seconds they answer.
        part: what was asked for.
    """

    frames: Frames
    pts_seconds: Seconds
    numbers: Numbers
    part: ChunkRequest


class DecodePool:
    """Workers of one video; a context manager. Warns at the end if some of the file was damaged.

    Every worker is a thread with the file open for itself: decoding releases the interpreter's lock. One worker needs
    no thread.

    Args:
        spec: which file, and how its frames are to be.
        workers: how many.

    Raises:
        ConfigError: an impossible number of workers.
        VideoError: the file is no video, see `probe`.
    """

    def __init__(self, spec: DecodeSpec, workers: int) -> None:
        self._spec, self._workers = spec, check_workers(workers)
        first = OpenVideo(spec)
        self.info, self.size_px, self._known = first.info, first.size_px, first.known
        self._opened = [first]
        self._idle = deque([first])

    def __enter__(self) -> "DecodePool":
        return self

    def __exit__(self, *error: Any) -> None:
        warn_of_damage(self._spec.path, set().union(*(video.damage for video in self._opened)))
        for video in self._opened:
            video.close()

    @property
    def last_second(self) -> float:
        """When the last picture of the file begins to be shown."""
        return self._opened[0].last_second

    def spans_groups(self, times: Seconds) -> bool:
        """Do several keyframe groups begin within these seconds?

        Where they do not, workers who begin their parts with a seek each decode the same group again.
        """
        first, last = float(times[0]), float(times[-1])
        return self._known.timeline.keys_between(first, last) >= SEVERAL_KEYFRAMES

    def decode(self, parts: Iterable[ChunkRequest], together: bool = True) -> Generator[DecodedChunk]:
        """Decode parts, which follow each other, in order; close what this returns before the pool.

        It can be called again when what it returned is closed or at its end.

        Several workers have at most one part each and one more in hand. One worker reads on from part to part, while
        several begin each with a seek, so that theirs should not be shorter than some keyframe groups.

        Args:
            parts: taken as they are needed.
            together: False has one worker do it all, as where every picture must be decoded from the start.

        Raises:
            Exception: whatever a worker, or `parts`, raises.
        """
        is_shared = together and self._workers > 1 and self._opened[0].can_skip
        return self._decode_together(parts) if is_shared else self._decode_alone(parts)

    def _decode_alone(self, parts: Iterable[ChunkRequest]) -> Generator[DecodedChunk]:
        begun: deque[_ChunkBuffer] = deque()
        for frame in self._opened[0].at(self._times(parts, begun)):
            while frame.number >= begun[0].end:
                yield begun.popleft().done()
            begun[0].put(frame, frame.number)
        yield from (buffer.done() for buffer in begun)

    def _times(self, parts: Iterable[ChunkRequest], begun: "deque[_ChunkBuffer]") -> Iterator[float]:
        for part in parts:
            begun.append(_ChunkBuffer(part, self.size_px))
            yield from part.times.tolist()

    def _decode_together(self, parts: Iterable[ChunkRequest]) -> Generator[DecodedChunk]:
        begun: deque[Future[DecodedChunk]] = deque()
        stopped = threading.Event()
        with ThreadPoolExecutor(self._workers, "decode") as executor:
            try:
                for part in parts:
                    begun.append(executor.submit(self._decode, part, stopped))
                    if len(begun) > self._workers:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                stopped.set()
                for future in begun:
                    future.cancel()

    def _decode(self, part: ChunkRequest, stopped: threading.Event) -> DecodedChunk:
        video, buffer = self._take_video(), _ChunkBuffer(part, self.size_px)
        try:
            for frame in video.at(part.times.tolist()):
                if stopped.is_set():
                    break
                buffer.put(frame, part.first + frame.number)
        finally:
            self._idle.append(video)
        return buffer.done()

    def _take_video(self) -> OpenVideo:
        try:
            return self._idle.popleft()
        except IndexError:
            video = OpenVideo(self._spec, self._known)
            self._opened.append(video)
            return video


class _ChunkBuffer:
    """A part while its frames arrive."""

    def __init__(self, part: ChunkRequest, size_px: tuple[int, int]) -> None:
        self._part, self._size_px, self._out = part, size_px, part.out
        self._pts_seconds: list[float] = []
        self._numbers: list[int] = []

    @property
    def end(self) -> int:
        """The first number that belongs to the next part."""
        return self._part.first + len(self._part.times)

    def put(self, frame: TimedFrame, number: int) -> None:
        """Take the next frame."""
        if self._out is None:
            self._out = np.empty((len(self._part.times), *self._size_px, 3), np.uint8)
        self._out[len(self._numbers)] = frame.pixels
        self._pts_seconds.append(frame.pts_seconds)
        self._numbers.append(number)

    def done(self) -> DecodedChunk:
        """What has arrived."""
        out = np.empty((0, *self._size_px, 3), np.uint8) if self._out is None else self._out
        numbers = np.asarray(self._numbers, np.int64)
        return DecodedChunk(out[: len(numbers)], np.asarray(self._pts_seconds, np.float64), numbers, self._part)


def check_workers(workers: int) -> int:
    """The number itself. Raises ConfigError where it is impossible."""
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"workers={workers!r}", f"a whole number from 1 to {MOST_WORKERS}", "correct workers")
    return workers
