"""Frames of a video to visual tokens, block after block, in memory that does not depend on the video's length."""

import itertools
import math
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from longpanda.errors import ConfigError
from longpanda.model.configuration import StabConfig, cells_of
from longpanda.shapes import Float
from longpanda.types import Seconds, VideoClip
from longpanda.video import TimedFrame, iter_frames

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.model.temporal import TemporalCompressor
    from longpanda.processing import LongPandaProcessor

LEAST_BLOCK_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Encoded:
    """A block as the model has seen it.

    Args:
        clip: the frames.
        values: groups of visual tokens, before the projector [G, P, C].
        state: that the next block begins with.
        next_number: of the seconds asked for, the first that comes after these frames.
        seconds: wall time that the model took.
    """

    clip: VideoClip
    values: Float[Tensor, "G P C"]
    state: Any
    next_number: int
    seconds: float


class Encoder:
    """What a model makes of a video's frames: groups of visual tokens, before the projector.

    Frames come in blocks of `block_frames`, whole windows of STAB and whole groups of the compressor, cut at the same
    places however often a video is gone on with: so the same frames give the same tokens to the last bit. Without a
    compressor a group is a frame, and blocks know nothing of one another.

    Args:
        model: the network.
        processor: its processor.
        size_px: height and width of the frames.
        tokens_per_frame: another rate for the compressor than the model's own, at most.

    Raises:
        ConfigError: a rate that the compressor cannot have, or no compressor.
    """

    def __init__(
        self,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        size_px: tuple[int, int],
        tokens_per_frame: float | None = None,
    ) -> None:
        self.size_px = size_px
        self._model, self._frames, self._temporal = model, processor.image_processor, model.temporal
        cells = cells_of(*size_px, model.config.stab_config)
        if tokens_per_frame is not None:
            self._temporal = _at_rate(model, tokens_per_frame, cells)
        config = None if self._temporal is None else self._temporal.config
        self.frames_per_group = 1 if config is None else config.pool_frames
        stab: StabConfig = model.config.stab_config
        self.tokens_per_group = stab.tokens_per_frame(*cells) if config is None else config.tokens_per_group(*cells)
        whole = math.lcm(model.config.stab_config.window_frames, self.frames_per_group)
        self.block_frames = whole * math.ceil(LEAST_BLOCK_FRAMES / whole)

    @property
    def is_causal(self) -> bool:
        """Do tokens depend on what was shown before alone?"""
        temporal = self._model.config.temporal_config
        return temporal is None or temporal.direction == "causal"

    def frames_at_once(self, frames: int) -> int:
        """Frames of a block of a video that is looked at with so many: a compressor that is not causal takes all."""
        return self.block_frames if self.is_causal else frames

    @torch.inference_mode()
    def __call__(self, clip: VideoClip, state: Any = None) -> tuple[Float[Tensor, "G P C"], Any]:
        """Tokens of a block, and the state that the next block begins with.

        Args:
            clip: `block_frames` frames; fewer at the end, or all of them where the compressor is not causal.
            state: of the frames before; None at the beginning.
        """
        media = {name: value.to(self._model.device) for name, value in self._frames.preprocess([clip]).items()}
        if self._temporal is None:
            tokens = self._model.frame_tokens(**media)
            return tokens.values[tokens.mask].view(len(clip), -1, tokens.values.shape[-1]), None
        (frames,) = self._model.clip_tokens(**media)
        if not self.is_causal:
            return self._temporal.whole(frames).values, None
        groups, state = self._temporal.compress(frames, state)
        rest = self._temporal.tail(state)  # only the last block ends within a group
        return (groups.values if rest is None else torch.cat([groups.values, rest.values])), state

    def video(
        self, path: Path, seconds: Seconds, duration_seconds: float, workers: int, state: Any = None
    ) -> Generator[Encoded]:
        """Go through a file: the frames at these seconds, block after block; what cannot be read is left out.

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
            for block in _blocks(frames, self.frames_at_once(len(seconds))):
                times = np.array([frame.pts_seconds for frame in block])
                clip = VideoClip(np.stack([frame.pixels for frame in block]), times, duration_seconds)
                began = time.perf_counter()
                values, state = self(clip, state)
                yield Encoded(clip, values, state, block[-1].number + 1, clock(self._model) - began)

    def spans(self, frames_seconds: Seconds) -> tuple[Seconds, Seconds]:
        """When the first and the last frame of each of a block's groups are shown."""
        starts = np.arange(0, len(frames_seconds), self.frames_per_group)
        ends = np.minimum(starts + self.frames_per_group, len(frames_seconds)) - 1
        return frames_seconds[starts], frames_seconds[ends]


def _blocks(frames: Iterable[TimedFrame], size: int) -> Iterator[list[TimedFrame]]:
    """So many frames at a time; only the last may be fewer."""
    remaining = iter(frames)
    while block := list(itertools.islice(remaining, size)):
        yield block


def _at_rate(
    model: "LongPandaForConditionalGeneration", tokens_per_frame: float, cells: tuple[int, int]
) -> "TemporalCompressor":
    if model.temporal is None:
        found = f"{tokens_per_frame:g} tokens per frame of a model without a compressor"
        raise ConfigError(found, "a model with one (temporal_config)", "leave it out")
    return model.temporal.resized(model.temporal.config.with_tokens_per_frame(tokens_per_frame, *cells))


def clock(model: "LongPandaForConditionalGeneration") -> float:
    """Seconds, once all work given to the GPU so far is done."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter()
