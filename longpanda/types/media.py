"""What is seen, and what the language model is given of it: clips, times of groups, visual tokens, prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from longpanda.errors import PromptError, VideoError, counted

if TYPE_CHECKING:
    from torch import Tensor

Frames = npt.NDArray[np.uint8]
Seconds = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
INDEX_SUFFIX = ".vidx"
VIDEO_TOKEN = "<|video|>"
"""Stands once per clip in a user's text, and once per visual token in the finished prompt."""


def is_index(path: Path) -> bool:
    """Is this the folder of a stored index, or the name of one that is not there, and not a video?"""
    return path.is_dir() or (path.suffix == INDEX_SUFFIX and not path.exists())


@dataclass(frozen=True, eq=False)
class VideoClip:
    """Frames of one video (or one image: T = 1) with their true presentation times.

    Args:
        frames: uint8 [T, H, W, 3], RGB, upright, square pixels.
        pts_seconds: float64 [T], never decreasing: when each frame is shown, from the start of the video.
        duration_seconds: length of the video the frames were taken from.
        path: where the frames came from ("" for arrays).
        frames_promised: frames that were asked for; more than T when the file is damaged or shorter than it says.
    """

    frames: Frames
    pts_seconds: Seconds
    duration_seconds: float
    path: str = ""
    frames_promised: int | None = None

    def __post_init__(self) -> None:
        f, t = self.frames, self.pts_seconds
        if not all(isinstance(values, np.ndarray) for values in (f, t)):
            kinds = f"frames of type {type(f).__name__}, times of type {type(t).__name__}"
            raise VideoError(kinds, "numpy arrays", "wrap them in np.asarray")
        if f.dtype != np.uint8 or f.ndim != 4 or f.shape[-1] != 3 or f.size == 0:
            raise VideoError(
                f"frames {f.dtype} {list(f.shape)}", "uint8 [T, H, W, 3], none of them 0", "convert them first"
            )
        if t.shape != (f.shape[0],):
            raise VideoError(
                f"{counted(len(f), 'frame')} with times of shape {list(t.shape)}", "one time per frame", "pass both"
            )
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError("times that decrease or are not finite", "non-decreasing seconds", "sort frames by time")

    def __repr__(self) -> str:
        t, h, w, _ = self.frames.shape
        span = f"{self.pts_seconds[0]:.2f}-{self.pts_seconds[-1]:.2f} of {self.duration_seconds:.2f} s"
        return f"VideoClip({counted(t, 'frame')} of {w}x{h} px, {span}, {self.path or 'from memory'!r})"

    def __len__(self) -> int:
        return int(self.frames.shape[0])


@dataclass(frozen=True)
class Timeline:
    """How a clip stands in a prompt: groups of frames, each with its time and as many placeholders as it has tokens.

    Args:
        starts_seconds: when the first frame of each group is shown, never decreasing.
        group_tokens: visual tokens of each group. A group without any is not in the prompt, nor is its time.
        times_seconds: least time from one written time to the next, 0 to write every group's; None writes none, as for
            a lone image.

    Raises:
        PromptError: groups and numbers of tokens do not match.
    """

    starts_seconds: tuple[float, ...]
    group_tokens: tuple[int, ...]
    times_seconds: float | None = 0.0

    def __post_init__(self) -> None:
        if len(self.starts_seconds) != len(self.group_tokens):
            found = f"{len(self.starts_seconds)} groups of frames, {len(self.group_tokens)} numbers of tokens"
            raise PromptError(found, "a number of tokens for each group", "pass both")

    def __len__(self) -> int:
        return len(self.starts_seconds)


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """What is kept of a video: its visual tokens, before the projector, with true times.

    Groups of frames follow one another; they may have different numbers of tokens and of frames.

    Args:
        values: [V, C], the tokens of all groups.
        token_offsets: int64 [G + 1], where in `values` each group begins, and where the last one ends.
        frames_seconds: float64 [F], never decreasing: when each frame looked at is shown.
        frame_offsets: int64 [G + 1], where in `frames_seconds` each group begins, and where the last one ends.
        duration_seconds: length of the video.
        seen_seconds: how far of it was looked at; less where the rest could not be read, or was not yet.

    Raises:
        VideoError: offsets that do not belong to the tokens and the frames, or times that decrease.
    """

    values: "Tensor"
    token_offsets: Counts
    frames_seconds: Seconds
    frame_offsets: Counts
    duration_seconds: float
    seen_seconds: float

    def __post_init__(self) -> None:
        tokens, frames = self.token_offsets, self.frame_offsets
        if self.values.ndim != 2 or len(tokens) != len(frames) or _span(tokens) != (0, len(self.values)):
            found = f"tokens {list(self.values.shape)}, {len(tokens)} and {len(frames)} offsets, {_span(tokens)}"
            raise VideoError(found, "[V, C] and offsets from 0 to V, one more than groups", "pass both kinds")
        if _span(frames) != (0, len(self.frames_seconds)) or np.any(np.diff(tokens) < 0) or np.any(np.diff(frames) < 1):
            found = f"{len(self.frames_seconds)} frames with offsets {_span(frames)}"
            raise VideoError(found, "offsets that grow, from 0 to the number of frames", "pass those of all groups")
        if np.any(np.diff(self.frames_seconds) < 0):
            raise VideoError("frames out of order", "times that never decrease", "sort them")

    def __repr__(self) -> str:
        each = np.unique(self.group_tokens)
        per_group = f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"
        frames, minutes = counted(len(self.frames_seconds), "frame"), self.duration_seconds / 60
        size = f"{counted(len(self), 'group')} of {per_group} x {self.values.shape[1]}"
        return f"VisualTokens({size}, {frames} of {minutes:.1f} min)"

    def __len__(self) -> int:
        return len(self.token_offsets) - 1

    @property
    def group_tokens(self) -> Counts:
        """Tokens of each group: int64 [G]."""
        return np.diff(self.token_offsets)

    @property
    def starts_seconds(self) -> Seconds:
        """When the first frame of each group is shown: float64 [G], never decreasing."""
        return self.frames_seconds[self.frame_offsets[:-1]]

    @property
    def ends_seconds(self) -> Seconds:
        """When the last frame of each group is shown: float64 [G]."""
        return self.frames_seconds[self.frame_offsets[1:] - 1]

    def frames_of(self, groups: Sequence[int]) -> Seconds:
        """When the frames of these groups are shown: float64, in the groups' order."""
        return self.frames_seconds[_inside(self.frame_offsets, groups)]

    def values_of(self, groups: Sequence[int]) -> "Tensor":
        """The tokens of these groups [N, C], in the groups' order."""
        return self.values[_inside(self.token_offsets, groups)]

    @property
    def count(self) -> int:
        """Visual tokens in all."""
        return len(self.values)


def _span(offsets: Counts) -> tuple[int, int]:
    return (int(offsets[0]), int(offsets[-1])) if len(offsets) else (-1, -1)


def _inside(offsets: Counts, groups: Sequence[int]) -> Counts:
    """Numbers of all that lies in these groups, one group after the other."""
    parts = [np.arange(offsets[group], offsets[group + 1]) for group in groups]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True)
class Prompt:
    """Text as token ids, with a run of placeholders for each group of frames.

    Args:
        input_ids: the tokens.
        visual_tokens: placeholders among them, over all videos and images of the prompt.
        placeholder_id: the id of the placeholder.
    """

    input_ids: tuple[int, ...]
    visual_tokens: int
    placeholder_id: int

    def __post_init__(self) -> None:
        found = self.input_ids.count(self.placeholder_id)
        if found != self.visual_tokens:
            raise PromptError(
                f"{counted(found, 'visual placeholder')} in the text",
                f"{self.visual_tokens}, the visual tokens of the media",
                "build prompts with LongPandaProcessor, and do not truncate them",
            )

    def __repr__(self) -> str:
        return f"Prompt({counted(len(self.input_ids), 'token')}, {self.visual_tokens} of them visual)"
