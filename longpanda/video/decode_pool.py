"""Decode chunks of one video in order, by one worker or several, each of which opens the file itself."""

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from longpanda.errors import ConfigError
from longpanda.types import Frames, Seconds
from longpanda.video.display_order import Numbers
from longpanda.video.opened import DecodeSpec, OpenVideo, TimedFrame, warn_of_damage

MOST_WORKERS = 64
SEVERAL_KEYFRAMES = 4


@dataclass(frozen=True, eq=False)
class ChunkRequest:
    """Consecutive requested seconds, and the array for their frames.

    Args:
        first: index of the first second among all requested ones.
        times: float64 [N], in order.
        out: uint8 [N, H, W, 3] to write to; None allocates an array when the first frame arrives.
    """

    first: int
    times: Seconds
    out: Frames | None = None


@dataclass(frozen=True, eq=False)
class DecodedChunk:
    """The frames of one request.

    Args:
        frames: uint8 [T, H, W, 3], T <= N: a view of the request's array.
        pts_seconds: float64 [T].
        numbers: int64 [T], indices of their seconds among all requested ones.
        request: the request.
    """

    frames: Frames
    pts_seconds: Seconds
    numbers: Numbers
    request: ChunkRequest


class DecodePool:
    """Workers that decode one video; a context manager. Warns at the end if the file was damaged.

    Each worker is a thread that has opened the file itself; decoding releases the interpreter's lock. A single worker
    needs no thread.

    Args:
        spec: the file, and the form of its frames.

    Attributes:
        first: the first opening of the file.

    Raises:
        ConfigError: an impossible number of workers.
        VideoError: the file is no video, see `probe`.
    """

    def __init__(self, spec: DecodeSpec, workers: int) -> None:
        self._spec, self._workers = spec, check_workers(workers)
        self.first = OpenVideo(spec)
        self._opened = [self.first]
        self._idle = deque(self._opened)

    def __enter__(self) -> "DecodePool":
        return self

    def __exit__(self, *error: Any) -> None:
        warn_of_damage(self._spec.path, set().union(*(video.damage for video in self._opened)))
        for video in self._opened:
            video.close()

    def spans_groups(self, times: Seconds) -> bool:
        """Whether several keyframe groups begin within these seconds.

        If not, workers that each seek to the start of their request decode the same group again.
        """
        first, last = float(times[0]), float(times[-1])
        return self.first.timeline.keys_between(first, last) >= SEVERAL_KEYFRAMES

    def decode(self, requests: Iterable[ChunkRequest], together: bool = True) -> Generator[DecodedChunk]:
        """Decode consecutive requests in order. Close the generator before the pool or before another call.

        Several workers have at most one request each and one more in hand. A single worker reads on from request to
        request, while several seek to the start of each, so that requests should span several keyframe groups.

        Args:
            requests: taken as they are needed.
            together: False has one worker do it all, as for files that must be decoded from the start.

        Raises:
            Exception: whatever a worker, or `requests`, raises.
        """
        is_shared = together and self._workers > 1 and self.first.can_skip
        return self._decode_together(requests) if is_shared else self._decode_alone(requests)

    def _decode_alone(self, requests: Iterable[ChunkRequest]) -> Generator[DecodedChunk]:
        begun: deque[_ChunkBuffer] = deque()
        for frame in self.first.at(self._times(requests, begun)):
            while frame.number >= begun[0].end:
                yield begun.popleft().done()
            begun[0].put(frame, frame.number)
        yield from (buffer.done() for buffer in begun)

    def _times(self, requests: Iterable[ChunkRequest], begun: "deque[_ChunkBuffer]") -> Iterator[float]:
        for request in requests:
            begun.append(_ChunkBuffer(request, self.first.size_px))
            yield from request.times.tolist()

    def _decode_together(self, requests: Iterable[ChunkRequest]) -> Generator[DecodedChunk]:
        begun: deque[Future[DecodedChunk]] = deque()
        stopped = threading.Event()
        with ThreadPoolExecutor(self._workers, "decode") as executor:
            try:
                for request in requests:
                    begun.append(executor.submit(self._decode, request, stopped))
                    if len(begun) > self._workers:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                stopped.set()
                for future in begun:
                    future.cancel()

    def _decode(self, request: ChunkRequest, stopped: threading.Event) -> DecodedChunk:
        video, buffer = self._take_video(), _ChunkBuffer(request, self.first.size_px)
        try:
            for frame in video.at(request.times.tolist()):
                if stopped.is_set():
                    break
                buffer.put(frame, request.first + frame.number)
        finally:
            self._idle.append(video)
        return buffer.done()

    def _take_video(self) -> OpenVideo:
        try:
            return self._idle.popleft()
        except IndexError:
            video = OpenVideo(self._spec, self.first)
            self._opened.append(video)
            return video


class _ChunkBuffer:
    """A request whose frames are arriving."""

    def __init__(self, request: ChunkRequest, size_px: tuple[int, int]) -> None:
        self._request, self._size_px, self._out = request, size_px, request.out
        self._pts_seconds: list[float] = []
        self._numbers: list[int] = []

    @property
    def end(self) -> int:
        """The first number that belongs to the next request."""
        return self._request.first + len(self._request.times)

    def put(self, frame: TimedFrame, number: int) -> None:
        """Store the next frame."""
        if self._out is None:
            self._out = np.empty((len(self._request.times), *self._size_px, 3), np.uint8)
        self._out[len(self._numbers)] = frame.pixels
        self._pts_seconds.append(frame.pts_seconds)
        self._numbers.append(number)

    def done(self) -> DecodedChunk:
        """The frames that have arrived."""
        out = np.empty((0, *self._size_px, 3), np.uint8) if self._out is None else self._out
        numbers = np.asarray(self._numbers, np.int64)
        return DecodedChunk(out[: len(numbers)], np.asarray(self._pts_seconds, np.float64), numbers, self._request)


def check_workers(workers: int) -> int:
    """Return the number of workers. Raises ConfigError if it is impossible."""
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"workers={workers!r}", f"a whole number from 1 to {MOST_WORKERS}", "pass such a number")
    return workers
