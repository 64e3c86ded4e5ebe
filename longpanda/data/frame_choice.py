"""Which frames of a video training looks at, and how many: known from its length, before the file is opened."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError, nearest
from longpanda.types import VIDEO_TOKEN, Seconds, Turn
from longpanda.video.sampling import at_fps, uniform

RULES: Final = ("times", "videochat_flash", "videochat_flash_middle")
TIME_MESSAGES: Final = ("", "short", "times")
"""Styles of `time_message`; "" writes none."""


@dataclass(frozen=True)
class FrameChoice:
    """How many frames of a video are looked at, and which.

    The rule "times" goes by presentation times: a frame every 1 / `fps` seconds from the start on; where limits ask for
    another number of frames, that many at the centres of equal stretches, as `ask` does. The number depends on the
    length alone. A frame that stays on screen for long may be looked at twice.

    The rule "videochat_flash" gives the frame numbers of VideoChat-Flash's `dynamic_fps1`: as many frames as whole
    seconds, rounded down to `multiple`, at most `max_frames`, then at least `min_frames`, at the middles of equal runs
    of frames; a video with fewer frames repeats its last. "videochat_flash_middle" chooses `max_frames` of any video in
    the same way. The times are still those at which these frames are shown.

    Args:
        fps: frames per second of video; the rules of VideoChat-Flash have 1.
        min_frames: frames of a short video, if it has that many.
        max_frames: frames of a long one.
        multiple: the number of frames is a multiple of this, if the video has that many.
        rule: one of `RULES`.

    Raises:
        ConfigError: an unknown rule, or a value that cannot be.
    """

    fps: float = 1.0
    min_frames: int = 1
    max_frames: int = 512
    multiple: int = 1
    rule: str = "times"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigError(f"frames: rule '{self.rule}'", ", ".join(RULES), nearest(str(self.rule), RULES))
        _check(self.fps, "fps", (int, float), 0)
        for name in ("min_frames", "max_frames", "multiple"):
            _check(getattr(self, name), name, (int,), 1)
        if self.rule != "times" and self.fps != 1:
            raise ConfigError(f"frames: fps {self.fps:g}", f"1 with the rule {self.rule}", "remove fps")
        if self.min_frames > self.max_frames:
            found = f"frames: min_frames {self.min_frames} above max_frames {self.max_frames}"
            raise ConfigError(found, "the smaller one first", "correct one of them")
        if self.multiple > self.max_frames:
            found = f"frames: multiple {self.multiple} above max_frames {self.max_frames}"
            raise ConfigError(found, "a multiple that fits", "correct one of them")

    def limited(self, frames: int) -> "FrameChoice":
        """The same choice with at most so many frames: for a video that would not fit."""
        most = min(self.max_frames, frames)
        multiple = self.multiple if most >= self.multiple else 1
        return replace(self, max_frames=most, min_frames=min(self.min_frames, most), multiple=multiple)

    def count(self, duration_seconds: float, frames: int) -> int:
        """How many frames are looked at; exactly the number that `seconds` has.

        Args:
            duration_seconds: length of the video, or of the part that is annotated.
            frames: how many frames it has; 1 for an image.
        """
        if frames <= 1 and duration_seconds <= 0:
            return 1
        if self.rule == "videochat_flash_middle":
            return self.max_frames
        if self.rule == "videochat_flash":
            return _reference_count(self, duration_seconds, frames)
        if frames <= 1 or duration_seconds <= 0:
            return 1
        wanted = len(at_fps(duration_seconds, self.fps))
        wanted = min(max(wanted, min(self.min_frames, frames)), self.max_frames)
        return (
            max(1, wanted // self.multiple * self.multiple) if wanted >= self.multiple else min(self.multiple, frames)
        )

    def seconds(self, duration_seconds: float, frames: int, frames_seconds: Seconds | None = None) -> Seconds:
        """When to look, from the start of the video or of the annotated part.

        Args:
            duration_seconds: as `count`.
            frames: as `count`.
            frames_seconds: float64 [frames], when each frame is shown; None for evenly spaced ones. Only the rules
                of VideoChat-Flash ask for them.

        Returns:
            float64 [count], never decreasing.
        """
        count = self.count(duration_seconds, frames)
        if self.rule != "times":
            step = duration_seconds / max(1, frames)
            shown = np.arange(max(1, frames), dtype=np.float64) * step if frames_seconds is None else frames_seconds
            return shown[_middles(len(shown), count)]
        if duration_seconds <= 0:
            return np.zeros(1)
        regular = at_fps(duration_seconds, self.fps)
        return regular if len(regular) == count else uniform(duration_seconds, count)


def reference_indices(choice: FrameChoice, frames: int, fps: float) -> npt.NDArray[np.int64]:
    """The frame numbers that VideoChat-Flash's `get_frame_indices` chooses.

    Args:
        choice: of one of its two rules; its `multiple` is the reference's local_num_frames.
        frames: frames of the file.
        fps: its average rate.
    """
    return _middles(frames, choice.count(frames / fps, frames))


def _reference_count(choice: FrameChoice, duration_seconds: float, frames: int) -> int:
    least = choice.min_frames if choice.min_frames <= frames else frames // choice.multiple * choice.multiple
    wanted = max(1, int(duration_seconds // choice.multiple)) * choice.multiple
    return max(least, min(wanted, choice.max_frames))


def _middles(frames: int, count: int) -> npt.NDArray[np.int64]:
    """The middles of equal runs of frames, the last of them repeated where there are fewer frames than asked for."""
    borders = np.linspace(0, frames, min(count, frames) + 1).astype(np.int64)
    chosen = (borders[:-1] + borders[1:] - 1) // 2
    return np.concatenate([chosen, np.repeat(chosen[-1:], count - len(chosen))])


def time_message(style: str, duration_seconds: float, seconds: Sequence[float] | Seconds) -> str:
    """What VideoChat-Flash tells the model of a video's length and frames.

    Args:
        style: "short"; "times", which lists the time of every frame; "" for nothing.
        duration_seconds: length of the video, or of the part that is annotated.
        seconds: of its frames.

    Raises:
        ConfigError: an unknown style.
    """
    if style not in TIME_MESSAGES:
        raise ConfigError(f"time_message '{style}'", '"", short or times', nearest(style, TIME_MESSAGES[1:]))
    if not style:
        return ""
    start = f"\nThe video lasts for {duration_seconds:.2f} seconds, and {len(seconds)} frames are uniformly sampled"
    if style == "short":
        return f"{start} from it. "
    return f"{start} at {', '.join(f'{second:.1f}' for second in seconds)} seconds. "


def with_time_messages(turns: Sequence[Turn], messages: Sequence[str]) -> tuple[Turn, ...]:
    """Turns with a message right behind each marker of a video; the given ones are not changed.

    Args:
        turns: of a conversation.
        messages: one for each marker of the user's turns, "" for an image.
    """
    left = iter(messages)
    return tuple(_with_messages(turn, left) if turn.role == "user" else turn for turn in turns)


def _with_messages(turn: Turn, left: Iterator[str]) -> Turn:
    parts = re.split(f"({re.escape(VIDEO_TOKEN)})", turn.text)
    return Turn(turn.role, "".join(part + next(left) if part == VIDEO_TOKEN else part for part in parts))


def _check(value: object, name: str, kinds: tuple[type, ...], least: float) -> None:
    """Raises ConfigError."""
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not (least <= value < float("inf")) or value == 0:  # type: ignore[operator]
        expected = f"a whole number of at least {least:g}" if least else "a number above 0"
        raise ConfigError(f"frames: {name} {value!r}", expected, f"correct {name}")
