"""The visual path, from frames to visual tokens before the projector. Training, indexing and asking all use it.

FrameBatch ─ front end ─► ClipTokens ─ compressor ─► TokenGroups ─ reducer ─► RaggedTokens
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol, runtime_checkable

import torch

from longpanda.errors import ConfigError
from longpanda.model.configuration import TemporalConfig
from longpanda.model.fingerprint import fingerprint_parts
from longpanda.model.temporal import TemporalCompressor
from longpanda.model.tokens import ClipTokens, CompressorState, FrameBatch, RaggedTokens, joined


@runtime_checkable
class FrontEnd(Protocol):
    """The first part of the visual path: frames and their times to tokens of each frame on a grid."""

    @property
    def window_frames(self) -> int:
        """Frames of a window, which are encoded together; a stream may be cut between windows."""

    def encode(self, frames: FrameBatch) -> list[ClipTokens]:
        """Encode frames to the tokens of each clip."""

    def grid(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return the rows and columns of tokens for a picture of this shape."""

    def tokens_per_frame(self, height_px: int, width_px: int) -> int:
        """Return the number of tokens for a picture of this shape, without reading any pixel."""

    def flops_per_frame(self, height_px: int, width_px: int) -> float:
        """Return the floating point operations for a picture of this shape."""

    def fingerprint_parts(self) -> Iterator[bytes]:
        """Yield the bytes that identify this front end: its configuration and its weights."""


@runtime_checkable
class Reducer(Protocol):
    """A function that leaves out tokens of some groups. The number of frames of a group does not change.

    It gets a whole clip at once, or a stream block by block, so it has to decide about each group by itself.
    """

    def __call__(self, tokens: RaggedTokens) -> RaggedTokens:
        """Return the groups with the tokens that are kept; a group may keep none."""

    def fingerprint_parts(self) -> Iterator[bytes]:
        """Yield the bytes that identify this reducer."""


@dataclass(frozen=True)
class StreamState:
    """The state of the visual path in a stream of frames.

    Args:
        compressor: the state of a causal compressor; None without one.
        waiting: tokens of all frames so far, for a compressor that is not causal.
    """

    compressor: CompressorState | None = None
    waiting: tuple[ClipTokens, ...] = ()


class VisualEncoder:
    """Frames to visual tokens before the projector.

    Args:
        front_end: encodes pixels as tokens of each frame.
        temporal: the compressor, or None.
        reducer: leaves tokens out, or None to keep all.
    """

    def __init__(
        self, front_end: FrontEnd, temporal: TemporalCompressor | None = None, reducer: Reducer | None = None
    ) -> None:
        self.front_end, self.temporal, self.reducer = front_end, temporal, reducer

    @property
    def is_causal(self) -> bool:
        """Whether tokens do not depend on frames after their window or group."""
        return self.temporal is None or self.temporal.config.direction == "causal"

    @property
    def frames_per_group(self) -> int:
        """Frames of a group; the last group of a video may have fewer."""
        return 1 if self.temporal is None else self.temporal.config.pool_frames

    def grid(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return the rows and columns of the tokens of a group of frames of this shape."""
        cells = self.front_end.grid(height_px, width_px)
        return cells if self.temporal is None else self.temporal.config.pooled_grid(*cells)

    def tokens_per_group(self, height_px: int, width_px: int) -> int:
        """Return the tokens of a group of frames of this shape; a reducer may keep fewer."""
        if self.temporal is None:
            return self.front_end.tokens_per_frame(height_px, width_px)
        return self.temporal.config.tokens_per_group(*self.front_end.grid(height_px, width_px))

    def at_rate(self, config: TemporalConfig) -> "VisualEncoder":
        """Return an encoder with the same weights and another rate. Raises ConfigError without a compressor."""
        if self.temporal is None:
            raise ConfigError("another rate for a model without a compressor", "a model with one", "leave the rate out")
        return VisualEncoder(self.front_end, self.temporal.resized(config), self.reducer)

    def fingerprint(self) -> str:
        """Return a SHA-256 of everything that determines the tokens, except the compressor's rate.

        An index has a rate of its own.
        """
        temporal = () if self.temporal is None else fingerprint_parts(self.temporal.config, self.temporal)
        reducer = () if self.reducer is None else self.reducer.fingerprint_parts()
        digest = hashlib.sha256()
        for part in chain(self.front_end.fingerprint_parts(), temporal, reducer):
            digest.update(part)
        return digest.hexdigest()

    def forward(self, frames: FrameBatch) -> list[RaggedTokens]:
        """Encode whole clips. A batch without `clip_frames` counts as one clip.

        Raises:
            PromptError: there is a compressor, and the times of the frames are missing.
            ConfigError: there is a compressor, and the pictures of a clip differ in shape.
        """
        return self.compressed(self.clips(frames))

    def clips(self, frames: FrameBatch) -> list[ClipTokens]:
        """Encode whole clips by the front end alone. Raises PromptError as `forward`."""
        if self.temporal is not None:
            frames.require_times()
        return self.front_end.encode(frames)

    def compressed(self, clips: list[ClipTokens]) -> list[RaggedTokens]:
        """Apply compressor and reducer to the front end's tokens of whole clips. Raises ConfigError as `forward`."""
        if self.temporal is None:
            return [self._reduced(RaggedTokens.of_frames(clip)) for clip in clips]
        groups = [one.values for one in self.temporal(clips)]
        sizes = [self._group_frames(len(clip.seconds)) for clip in clips]
        return [self._reduced(RaggedTokens.of_groups(*pair)) for pair in zip(groups, sizes, strict=True)]

    def stream(self, frames: FrameBatch, state: StreamState | None = None) -> tuple[RaggedTokens | None, StreamState]:
        """Encode the next frames of a video.

        Args:
            frames: the next frames of one clip: whole windows of the front end, except at the video's end.
            state: the state after the previous frames; None begins a video. It is not changed.

        Returns:
            The groups that these frames complete, or None if there are none, and the state after them.

        Raises:
            PromptError: as `forward`.
            ConfigError: frames are earlier than the previous ones, or the state is another encoder's.
        """
        state = state or StreamState()
        (clip,) = self.clips(frames)
        if self.temporal is None:
            return self._reduced(RaggedTokens.of_frames(clip)), state
        if not self.is_causal:
            return None, replace(state, waiting=(*state.waiting, clip))
        groups, after = self.temporal.compress(clip, state.compressor)
        return self._whole_groups(groups.values), StreamState(after)

    def finish(self, state: StreamState) -> RaggedTokens | None:
        """Return the remaining groups at a video's end, or None if there are none."""
        if self.temporal is None:
            return None
        if state.waiting:
            return self.compressed([joined(state.waiting)])[0]
        rest = None if state.compressor is None else self.temporal.tail(state.compressor)
        if state.compressor is None or rest is None:
            return None
        return self._reduced(RaggedTokens.of_groups(rest.values, [len(state.compressor.open_seconds)]))

    def _whole_groups(self, values: torch.Tensor) -> RaggedTokens | None:
        """Reduce groups that have all of their frames; return None without a group."""
        if not len(values):
            return None
        return self._reduced(RaggedTokens.of_groups(values, [self.frames_per_group] * len(values)))

    def _group_frames(self, frames: int) -> list[int]:
        """Return the number of frames of each group of a whole clip."""
        whole, rest = divmod(frames, self.frames_per_group)
        return [self.frames_per_group] * whole + [rest] * (rest > 0)

    def _reduced(self, tokens: RaggedTokens) -> RaggedTokens:
        """Apply the reducer. Raises ConfigError if it loses or adds a group."""
        if self.reducer is None:
            return tokens
        kept = self.reducer(tokens)
        if kept.group_frames != tokens.group_frames:
            found = f"a reducer that makes {len(kept)} groups of {len(tokens)}"
            raise ConfigError(found, "the same groups with fewer tokens", "keep a group that has no tokens left")
        return kept
