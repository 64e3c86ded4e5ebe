"""The visual path: frames to visual tokens before the projector, for training, indexing and asking alike.

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
    """Frames and their times to tokens of each frame on a grid: what stands first in the visual path."""

    @property
    def window_frames(self) -> int:
        """Frames that are looked at together; a stream may be cut between them."""

    def encode(self, frames: FrameBatch) -> list[ClipTokens]:
        """Tokens of each clip."""

    def grid(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Rows and columns of tokens of a picture of this shape."""

    def tokens_per_frame(self, height_px: int, width_px: int) -> int:
        """Tokens of a picture of this shape, before any of its pixels is read."""

    def flops_per_frame(self, height_px: int, width_px: int) -> float:
        """Floating point operations for a picture of this shape."""

    def fingerprint_parts(self) -> Iterator[bytes]:
        """What tells this front end from others: its configuration and its weights."""


@runtime_checkable
class Reducer(Protocol):
    """Fewer tokens of some groups of frames; of how many frames a group stands stays as it is.

    A whole clip comes at once, and a stream block by block, so each group has to be judged by itself.
    """

    def __call__(self, tokens: RaggedTokens) -> RaggedTokens:
        """What is kept of these groups; a group may keep none."""

    def fingerprint_parts(self) -> Iterator[bytes]:
        """What tells this reducer from others."""


@dataclass(frozen=True)
class StreamState:
    """Where a stream of frames stands.

    Args:
        compressor: what the causal compressor remembers; None without one.
        waiting: tokens of all frames so far, for a compressor that is not causal.
    """

    compressor: CompressorState | None = None
    waiting: tuple[ClipTokens, ...] = ()


class VisualEncoder:
    """Frames to visual tokens before the projector.

    Args:
        front_end: pixels to tokens of each frame.
        temporal: the compressor, if there is one.
        reducer: leaves tokens out, if there is one.
    """

    def __init__(
        self, front_end: FrontEnd, temporal: TemporalCompressor | None = None, reducer: Reducer | None = None
    ) -> None:
        self.front_end, self.temporal, self.reducer = front_end, temporal, reducer

    @property
    def is_causal(self) -> bool:
        """Do tokens depend on nothing that is shown after their window of the front end, or their group?"""
        return self.temporal is None or self.temporal.config.direction == "causal"

    @property
    def frames_per_group(self) -> int:
        """Frames that share their tokens; the last group of a video may have fewer."""
        return 1 if self.temporal is None else self.temporal.config.pool_frames

    def grid(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Rows and columns of the tokens of a group of frames of this shape."""
        cells = self.front_end.grid(height_px, width_px)
        return cells if self.temporal is None else self.temporal.config.pooled_grid(*cells)

    def tokens_per_group(self, height_px: int, width_px: int) -> int:
        """Tokens of a group of frames of this shape; a reducer may leave fewer."""
        if self.temporal is None:
            return self.front_end.tokens_per_frame(height_px, width_px)
        return self.temporal.config.tokens_per_group(*self.front_end.grid(height_px, width_px))

    def at_rate(self, config: TemporalConfig) -> "VisualEncoder":
        """The same weights with another rate of the compressor. Raises ConfigError where there is no compressor."""
        if self.temporal is None:
            raise ConfigError("another rate for a model without a compressor", "a model with one", "leave it out")
        return VisualEncoder(self.front_end, self.temporal.resized(config), self.reducer)

    def fingerprint(self) -> str:
        """Of everything that the tokens depend on, except the rate of the compressor: an index has its own."""
        temporal = () if self.temporal is None else fingerprint_parts(self.temporal.config, self.temporal)
        reducer = () if self.reducer is None else self.reducer.fingerprint_parts()
        digest = hashlib.sha256()
        for part in chain(self.front_end.fingerprint_parts(), temporal, reducer):
            digest.update(part)
        return digest.hexdigest()

    def forward(self, frames: FrameBatch) -> list[RaggedTokens]:
        """Tokens of whole clips, all of one batch where the batch does not say which frames are whose.

        Raises:
            PromptError: a compressor without the times of the frames.
            ConfigError: a clip whose pictures are of several shapes, in front of a compressor.
        """
        return self.compressed(self.clips(frames))

    def clips(self, frames: FrameBatch) -> list[ClipTokens]:
        """What the front end gives the compressor. Raises PromptError as `forward`."""
        if self.temporal is not None:
            frames.require_times()
        return self.front_end.encode(frames)

    def compressed(self, clips: list[ClipTokens]) -> list[RaggedTokens]:
        """What compressor and reducer leave of whole clips. Raises ConfigError as `forward`."""
        if self.temporal is None:
            return [self._reduced(RaggedTokens.of_frames(clip)) for clip in clips]
        groups = [one.values for one in self.temporal(clips)]
        sizes = [self._group_frames(len(clip.seconds)) for clip in clips]
        return [self._reduced(RaggedTokens.of_groups(*pair)) for pair in zip(groups, sizes, strict=True)]

    def stream(self, frames: FrameBatch, state: StreamState | None = None) -> tuple[RaggedTokens | None, StreamState]:
        """Go on with a video: the groups that these frames complete, and where the stream then stands.

        Args:
            frames: the next frames of one clip, whole windows of the front end but for the last ones.
            state: where the frames before ended; None begins a video. It is not changed.

        Returns:
            None in place of groups where these frames complete none.

        Raises:
            PromptError: as `forward`.
            ConfigError: frames earlier than those before, or a state of another encoder.
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
        """The groups that a video's end completes; None if there are none."""
        if self.temporal is None:
            return None
        if state.waiting:
            return self.compressed([joined(state.waiting)])[0]
        rest = None if state.compressor is None else self.temporal.tail(state.compressor)
        if state.compressor is None or rest is None:
            return None
        return self._reduced(RaggedTokens.of_groups(rest.values, [len(state.compressor.open_seconds)]))

    def _whole_groups(self, values: torch.Tensor) -> RaggedTokens | None:
        """Groups that have all of their frames; None where there is no group."""
        if not len(values):
            return None
        return self._reduced(RaggedTokens.of_groups(values, [self.frames_per_group] * len(values)))

    def _group_frames(self, frames: int) -> list[int]:
        """How many frames each group of a whole clip stands for."""
        whole, rest = divmod(frames, self.frames_per_group)
        return [self.frames_per_group] * whole + [rest] * (rest > 0)

    def _reduced(self, tokens: RaggedTokens) -> RaggedTokens:
        """What the reducer keeps. Raises ConfigError where it loses a group or makes one."""
        if self.reducer is None:
            return tokens
        kept = self.reducer(tokens)
        if kept.group_frames != tokens.group_frames:
            found = f"a reducer that makes {len(kept)} groups of {len(tokens)}"
            raise ConfigError(found, "the same groups with fewer tokens", "leave a group without tokens empty")
        return kept
