"""Choose the seconds of a video to decode. Pure arithmetic: no file is opened here."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from longpanda.errors import ConfigError, counted
from longpanda.types import Seconds

MOST_FRAMES = 10_000_000
"""Sanity limit: four days of video at 30 frames a second."""


def uniform(duration_seconds: float, count: int) -> Seconds:
    """The centres of `count` equal segments.

    Args:
        duration_seconds: length of the video.
        count: number of seconds.

    Returns:
        float64 [count], increasing.

    Raises:
        ConfigError: a duration that is not positive and finite, or a count below one or above `MOST_FRAMES`.
    """
    _check_duration(duration_seconds)
    check_count("frames", count)
    _check_limit(f"frames={count}", count)
    return (np.arange(count, dtype=np.float64) + 0.5) * (duration_seconds / count)


def at_fps(duration_seconds: float, fps: float) -> Seconds:
    """0, 1/fps, 2/fps, ... below the duration; never empty.

    Args:
        duration_seconds: length of the video.
        fps: frames per second of video.

    Returns:
        float64 [ceil(duration_seconds * fps)], increasing.

    Raises:
        ConfigError: a duration or rate that is not positive and finite, or more than `MOST_FRAMES`.
    """
    _check_duration(duration_seconds)
    _check_positive("fps", fps)
    count = _count_at_fps(duration_seconds, fps)
    _check_limit(f"fps={fps} in a video of {duration_seconds:.1f} s", count)
    return np.arange(count, dtype=np.float64) / fps


def _count_at_fps(duration_seconds: float, fps: float) -> int:
    exact = min(duration_seconds * fps, 2.0**53)  # finite for any input
    count = round(exact) if math.isclose(exact, round(exact), rel_tol=1e-9) else math.ceil(exact)
    return max(1, count)


def explicit(seconds: Sequence[float] | Seconds) -> Seconds:
    """Check times given by a user.

    Args:
        seconds: times from the start of the video.

    Returns:
        float64 [len(seconds)].

    Raises:
        ConfigError: there are none, or one is not a number, not finite, negative or below its predecessor.
    """
    try:
        times = np.asarray(seconds, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"seconds={seconds!r}", "numbers", "write them as 1.5,20,63") from error
    if times.ndim != 1 or times.size == 0:
        raise ConfigError(f"seconds of shape {list(times.shape)}", "a list with at least one time", "add a time")
    if not np.all(np.isfinite(times)) or np.any(times < 0):
        raise ConfigError(f"seconds={times.tolist()}", "finite times of at least 0", "remove the others")
    if np.any(np.diff(times) < 0):
        raise ConfigError(f"seconds={times.tolist()}", "times in order", "sort them")
    return times


def in_order(seconds: Iterable[float]) -> Iterator[float]:
    """Check times one by one as they are taken from an iterable of unknown length.

    Raises:
        ConfigError: as `explicit`, at the wrong time.
    """
    last = -1.0
    for number, second in enumerate(seconds):
        if not isinstance(second, int | float | np.number):
            raise ConfigError(f"second {number} = {second!r}", "a number", "write numbers like 1.5")
        if not math.isfinite(second) or second < 0:
            raise ConfigError(f"second {number} = {second}", "a finite time of at least 0", "remove it")
        if second < last:
            raise ConfigError(f"second {number} = {second} after {last}", "times in order", "sort them")
        last = float(second)
        yield last
    if last < 0:
        raise ConfigError("no seconds", "at least one time", "add a time")


@dataclass(frozen=True)
class Sampling:
    """The frames that a user asks for; exactly one of `frames`, `fps` and `seconds` is set.

    Args:
        frames: number of frames, spread evenly over the whole video.
        fps: frames per second of video.
        max_frames: limit on the frames that `fps` gives; above it, this many are spread evenly instead.
        seconds: the exact times.

    Raises:
        ConfigError: none or several of them, `max_frames` without `fps`, or an impossible value.
    """

    frames: int | None = None
    fps: float | None = None
    max_frames: int | None = None
    seconds: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        ways = [name for name in ("frames", "fps", "seconds") if getattr(self, name) is not None]
        if len(ways) != 1:
            found = f"sampling by {' and '.join(ways) or 'nothing'}"
            raise ConfigError(found, "exactly one of frames, fps, seconds", "set one of them")
        if self.frames is not None:
            check_count("frames", self.frames)
        if self.fps is not None:
            _check_positive("fps", self.fps)
        if self.max_frames is not None:
            check_count("max_frames", self.max_frames)
            if self.fps is None:
                raise ConfigError(f"max_frames with {ways[0]}", "max_frames with fps only", "remove max_frames")
        if self.seconds is not None:
            explicit(self.seconds)

    @classmethod
    def from_options(cls, frames: int | None = None, fps: float | None = None) -> "Sampling | None":
        """The sampling that a user's options ask for, or None where none is given. Raises ConfigError as the class."""
        return None if frames is None and fps is None else cls(frames=frames, fps=fps)

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{counted(len(self.seconds), 'frame')}, at chosen seconds"
        if self.fps is None:
            return f"{counted(self.frames or 0, 'frame')}, evenly spread"
        return f"one frame every {1 / self.fps:.3g} s" + (f", at most {self.max_frames}" if self.max_frames else "")

    def seconds_for(self, duration_seconds: float) -> Seconds:
        """The times of the frames in a video of this length.

        Returns:
            float64 [N], never decreasing. Explicit times are not changed, even past the end.

        Raises:
            ConfigError: a duration that is not positive and finite, or more than `MOST_FRAMES`.
        """
        if self.seconds is not None:
            return explicit(self.seconds)
        if self.frames is not None:
            return uniform(duration_seconds, self.frames)
        assert self.fps is not None
        _check_duration(duration_seconds)
        if self.max_frames is not None and _count_at_fps(duration_seconds, self.fps) > self.max_frames:
            return uniform(duration_seconds, self.max_frames)
        return at_fps(duration_seconds, self.fps)


def _check_positive(name: str, value: float) -> None:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{name}={value!r}", "a positive, finite number", f"change {name}")


def _check_duration(duration_seconds: float) -> None:
    """A length of 0 gets its own message: the file holds no times, which the user cannot fix by another number."""
    if not isinstance(duration_seconds, bool) and isinstance(duration_seconds, int | float) and duration_seconds == 0:
        raise ConfigError(
            "a video without a length: its file says neither when its pictures are shown nor for how long",
            "a length, over which frames can be spread",
            "pass exact seconds (0 is the first picture), or write the file again with a frame rate",
        )
    _check_positive("duration_seconds", duration_seconds)


def check_count(name: str, value: int) -> None:
    """Raises ConfigError unless the value is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigError(f"{name}={value!r}", "a whole number of at least 1", f"pass a {name} of at least 1")


def _check_limit(found: str, count: int) -> None:
    if count > MOST_FRAMES:
        raise ConfigError(found, f"at most {MOST_FRAMES:,} frames", "ask for fewer")
