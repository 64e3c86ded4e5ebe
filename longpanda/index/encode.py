"""Frames of a video to visual tokens, block after block, in memory that does not depend on the video's length.

A compressor that is not causal holds STAB's tokens of all frames, and no picture.
"""

import itertools
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from longpanda.errors import VideoError
from longpanda.index.thumbnails import Thumbnail, thumbnails_of
from longpanda.model.configuration import StabConfig, TemporalConfig, cells_of
from longpanda.model.stream import ClipTokens, joined
from longpanda.shapes import Float
from longpanda.types import Seconds, VideoClip, VisualTokens
from longpanda.video import TimedFrame, decode, iter_frames

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

LEAST_BLOCK_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Block:
    """Frames that are looked at together.

    Args:
        clip: them.
        next_number: of the seconds asked for, the first that comes after these frames.
    """

    clip: VideoClip
    next_number: int


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is kept of the frames of a block, or of all blocks together.

    Args:
        frames_seconds: when each frame is shown.
        values: groups of visual tokens, before the projector [G, P, C].
        thumbnails: small pictures, in order of time.
        state: that the next block begins with.
        next_number: as `Block`.
        seconds: wall time that the model took.
    """

    frames_seconds: Seconds
    values: Float[Tensor, "G P C"]
    thumbnails: list[Thumbnail]
    state: Any
    next_number: int
    seconds: float


class Encoder:
    """What a model makes of a video's frames: groups of visual tokens, before the projector.

    Frames come in blocks of `block_frames`, whole windows of STAB and whole groups of the compressor, cut at the same
    places however often a video is gone on with: so the same frames give the same tokens to the last bit. Without a
    compressor a group is a frame, and blocks know nothing of one another. A compressor that is not causal has to have
    STAB's tokens of all frames before it begins.

    Args:
        model: the network.
        processor: its processor.
        size_px: height and width of the frames.
        temporal: another rate for the compressor than the model's own.
    """

    def __init__(
        self,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        size_px: tuple[int, int],
        temporal: TemporalConfig | None = None,
    ) -> None:
        self.size_px = size_px
        self._model, self._frames, self._temporal = model, processor.image_processor, model.temporal
        cells = cells_of(*size_px, model.config.stab_config)
        if temporal is not None and model.temporal is not None:
            self._temporal = model.temporal.resized(temporal)
        config = None if self._temporal is None else self._temporal.config
        self.frames_per_group = 1 if config is None else config.pool_frames
        self.grid = cells if config is None else config.pooled_grid(*cells)
        stab: StabConfig = model.config.stab_config
        self.tokens_per_group = stab.tokens_per_frame(*cells) if config is None else config.tokens_per_group(*cells)
        whole = math.lcm(model.config.stab_config.window_frames, self.frames_per_group)
        self.block_frames = whole * math.ceil(LEAST_BLOCK_FRAMES / whole)

    @property
    def is_causal(self) -> bool:
        """Do tokens depend on nothing that is shown after their window of STAB, or their group?"""
        temporal = self._model.config.temporal_config
        return temporal is None or temporal.direction == "causal"

    def video(
        self, path: Path, seconds: Seconds, duration_seconds: float, workers: int, state: Any = None
    ) -> Generator[Encoded]:
        """Go through a file: the frames at these seconds; what cannot be read is left out.

        Args:
            path: the file.
            seconds: looked at.
            duration_seconds: of the whole video.
            workers: threads that decode.
            state: of the frames before.
        """
        if not len(seconds):
            return
        with closing(iter_frames(path, seconds, size_px=self.size_px, workers=workers)) as frames:
            yield from self.encode(_blocks(frames, self.block_frames, duration_seconds), state)

    def encode(self, blocks: Iterable[Block], state: Any = None) -> Iterator[Encoded]:
        """What is kept of each block, or, where the compressor is not causal, of all of them.

        Args:
            blocks: of `block_frames` frames; only the last may be shorter.
            state: of the frames before; None at the beginning.
        """
        if self.is_causal:
            for block in blocks:
                began = clock(self._model)
                values, state = self._next(block.clip, state)
                spent = clock(self._model) - began
                small = thumbnails_of(block.clip.frames, block.clip.pts_seconds)
                yield Encoded(block.clip.pts_seconds, values, small, state, block.next_number, spent)
        elif seen := [self._seen(block) for block in blocks]:
            yield self._together(seen)

    @torch.inference_mode()
    def _next(self, clip: VideoClip, state: Any) -> tuple[Float[Tensor, "G P C"], Any]:
        """Tokens of a block, and the state behind it."""
        media = self._media(clip)
        if self._temporal is None:
            tokens = self._model.frame_tokens(**media)
            return tokens.values[tokens.mask].view(len(clip), -1, tokens.values.shape[-1]), None
        (frames,) = self._model.clip_tokens(**media)
        groups, state = self._temporal.compress(frames, state)
        rest = self._temporal.tail(state)  # only the last block ends within a group
        return (groups.values if rest is None else torch.cat([groups.values, rest.values])), state

    @torch.inference_mode()
    def _seen(self, block: Block) -> "_Seen":
        """STAB's tokens of a block."""
        began = clock(self._model)
        (tokens,) = self._model.clip_tokens(**self._media(block.clip))
        spent = clock(self._model) - began
        return _Seen(tokens, thumbnails_of(block.clip.frames, block.clip.pts_seconds), block.next_number, spent)

    @torch.inference_mode()
    def _together(self, seen: list["_Seen"]) -> Encoded:
        """All blocks of a video through a compressor that is not causal."""
        began = clock(self._model)
        frames = joined([one.tokens for one in seen])
        assert self._temporal is not None
        values = self._temporal.whole(frames).values
        small = [picture for one in seen for picture in one.thumbnails]
        spent = sum(one.seconds for one in seen) + clock(self._model) - began
        return Encoded(frames.seconds.cpu().numpy(), values, small, None, seen[-1].next_number, spent)

    def _media(self, clip: VideoClip) -> dict[str, Tensor]:
        return {name: value.to(self._model.device) for name, value in self._frames.preprocess([clip]).items()}

    def joined(self, parts: Sequence[Encoded], seconds: Seconds, duration_seconds: float) -> VisualTokens:
        """What was made of a video of this length at these seconds, as one. There is at least one part."""
        seen = seen_seconds(seconds, parts[-1].next_number, duration_seconds)
        shown = np.concatenate([part.frames_seconds for part in parts])
        values = torch.cat([part.values for part in parts])  # of whole groups, but for the last
        return VisualTokens(values, *self.spans(shown), shown, duration_seconds, seen, self.frames_per_group)

    def spans(self, frames_seconds: Seconds) -> tuple[Seconds, Seconds]:
        """When the first and the last frame of each of a block's groups are shown."""
        starts = np.arange(0, len(frames_seconds), self.frames_per_group)
        ends = np.minimum(starts + self.frames_per_group, len(frames_seconds)) - 1
        return frames_seconds[starts], frames_seconds[ends]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A block that waits for the others."""

    tokens: ClipTokens
    thumbnails: list[Thumbnail]
    next_number: int
    seconds: float


def _blocks(frames: Iterable[TimedFrame], size: int, duration_seconds: float) -> Iterator[Block]:
    """So many frames at a time; only the last may be fewer."""
    remaining = iter(frames)
    while held := list(itertools.islice(remaining, size)):
        times = np.array([frame.pts_seconds for frame in held])
        clip = VideoClip(np.stack([frame.pixels for frame in held]), times, duration_seconds)
        yield Block(clip, held[-1].number + 1)


def seen_seconds(seconds: Seconds, next_number: int, duration_seconds: float) -> float:
    """How far of a video was looked at: up to the first of the seconds asked for that has no frame, or its end."""
    return min(float(seconds[next_number]), duration_seconds) if next_number < len(seconds) else duration_seconds


def refuse_unreadable(path: Path, seconds: Seconds, size_px: tuple[int, int]) -> NoReturn:
    """Say of a file that gave no frame at these seconds where it ends.

    Raises:
        CutVideoError: always, or VideoError where the file has changed meanwhile.
    """
    decode(path, seconds, size_px=size_px)
    raise VideoError(f"'{path}' changed while it was read", "a file that stays", "try again")


def clock(model: "LongPandaForConditionalGeneration") -> float:
    """Seconds, once all work given to the GPU so far is done."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter()
