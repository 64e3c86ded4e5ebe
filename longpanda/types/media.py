"""Clips, and what the language model receives of them: times of groups, visual tokens and prompts."""

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
"""The marker of a clip in a user's text, and the placeholder of each visual token in the finished prompt."""


def is_index(path: Path) -> bool:
    """Return whether a path is an index: any folder, or a name ending in `.vidx` that does not exist yet."""
    return path.is_dir() or (path.suffix == INDEX_SUFFIX and not path.exists())


@dataclass(frozen=True, eq=False)
class VideoClip:
    """Frames of one video (or one image: T = 1) with their true presentation times.

    Args:
        frames: uint8 [T, H, W, 3], RGB, upright, square pixels.
        pts_seconds: float64 [T], never decreasing: when each frame is shown, from the start of the video.
        duration_seconds: length of the video the frames were taken from.
        path: where the frames came from ("" for arrays).
        frames_promised: number of frames requested; more than T if the file is damaged or shorter than it says.

    Raises:
        VideoError: frames or times have the wrong type or shape, or the times decrease or are not finite.
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
                f"frames {f.dtype} {list(f.shape)}", "uint8 [T, H, W, 3], none of them 0", "convert the frames first"
            )
        if t.shape != (f.shape[0],):
            raise VideoError(
                f"{counted(len(f), 'frame')} with times of shape {list(t.shape)}",
                "one time per frame",
                "pass as many times as frames",
            )
        if not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0):
            raise VideoError(
                "times that decrease or are not finite", "non-decreasing seconds", "sort the frames by time"
            )

    def __repr__(self) -> str:
        t, h, w, _ = self.frames.shape
        span = f"{self.pts_seconds[0]:.2f}-{self.pts_seconds[-1]:.2f} of {self.duration_seconds:.2f} s"
        return f"VideoClip({counted(t, 'frame')} of {w}x{h} px, {span}, {self.path or 'from memory'!r})"

    def __len__(self) -> int:
        return int(self.frames.shape[0])


@dataclass(frozen=True)
class Timeline:
    """Layout of a clip in a prompt: groups of frames, each with its time and one placeholder per visual token.

    Args:
        starts_seconds: when the first frame of each group is shown, never decreasing.
        group_tokens: number of visual tokens of each group. A group with none is left out of the prompt, as is its
            time.
        times_seconds: minimum interval between times written into the prompt, 0 to write the time of every group;
            None to write none, as for a single image.

    Raises:
        PromptError: the numbers of groups and of token counts differ.
    """

    starts_seconds: tuple[float, ...]
    group_tokens: tuple[int, ...]
    times_seconds: float | None = 0.0

    def __post_init__(self) -> None:
        if len(self.starts_seconds) != len(self.group_tokens):
            found = f"{len(self.starts_seconds)} groups of frames, {len(self.group_tokens)} token counts"
            raise PromptError(found, "one token count per group", "pass as many token counts as groups")

    def __len__(self) -> int:
        return len(self.starts_seconds)


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """The visual tokens of a video, before the projector, with the true times of its frames.

    The tokens are divided into consecutive groups of frames, which may differ in their numbers of tokens and frames.

    Args:
        values: [V, C], the tokens of all groups.
        token_offsets: int64 [G + 1], where in `values` each group begins, and where the last one ends.
        frames_seconds: float64 [F], never decreasing: when each encoded frame is shown.
        frame_offsets: int64 [G + 1], where in `frames_seconds` each group begins, and where the last one ends.
        duration_seconds: length of the video.
        seen_seconds: how much of the video was encoded; less than its length if the rest could not be read, or has
            not been read yet.

    Raises:
        VideoError: offsets do not match the tokens and the frames, or times decrease.
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
            expected = "[V, C] and offsets from 0 to V, one more than groups"
            raise VideoError(found, expected, "pass matching tokens and offsets")
        if _span(frames) != (0, len(self.frames_seconds)) or np.any(np.diff(tokens) < 0) or np.any(np.diff(frames) < 1):
            found = f"{len(self.frames_seconds)} frames with offsets {_span(frames)}"
            expected = "increasing offsets, from 0 to the number of frames"
            raise VideoError(found, expected, "pass the offsets of all groups")
        if np.any(np.diff(self.frames_seconds) < 0):
            raise VideoError("frames out of order", "times that never decrease", "sort the frames by time")

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
        """Number of tokens of each group: int64 [G]."""
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
        """Return when the frames of the given groups are shown: float64, in the order of the groups."""
        return self.frames_seconds[_members(self.frame_offsets, groups)]

    def values_of(self, groups: Sequence[int]) -> "Tensor":
        """Return the tokens of the given groups [N, C], in the order of the groups."""
        return self.values[_members(self.token_offsets, groups)]

    @property
    def count(self) -> int:
        """Number of visual tokens, over all groups."""
        return len(self.values)


def _span(offsets: Counts) -> tuple[int, int]:
    return (int(offsets[0]), int(offsets[-1])) if len(offsets) else (-1, -1)


def _members(offsets: Counts, groups: Sequence[int]) -> Counts:
    """Return the positions of the members of the given groups, one group after the other."""
    parts = [np.arange(offsets[group], offsets[group + 1]) for group in groups]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@dataclass(frozen=True)
class Prompt:
    """Token ids of a prompt, with a run of placeholders for each group of frames.

    Args:
        input_ids: ids of all tokens, text and placeholders.
        visual_tokens: number of placeholders, over all videos and images of the prompt.
        placeholder_id: the id of the placeholder.

    Raises:
        PromptError: the number of placeholders is not `visual_tokens`.
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
