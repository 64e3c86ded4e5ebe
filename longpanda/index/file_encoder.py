"""Encode the frames of a file to visual tokens, block by block, in memory independent of the video's length.

With a compressor that is not causal, the front end's tokens of all frames stay in memory, but no pictures.
"""

import itertools
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from longpanda.errors import VideoError
from longpanda.index.thumbnails import Thumbnail, thumbnails_of
from longpanda.model.configuration import TemporalConfig
from longpanda.model.lock import held
from longpanda.model.tokens import CompressorState, FrameBatch, RaggedTokens
from longpanda.model.visual import StreamState, VisualEncoder
from longpanda.types import Counts, Seconds, VideoClip, VisualTokens
from longpanda.video import TimedFrame, decode, iter_frames

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor

LEAST_BLOCK_FRAMES = 64


@dataclass(frozen=True, eq=False)
class Block:
    """Frames that pass through the model together.

    Args:
        clip: the frames to encode.
        next_number: index of the first requested second after these frames.
    """

    clip: VideoClip
    next_number: int


@dataclass(frozen=True, eq=False)
class EncodedBlock:
    """The visual tokens and thumbnails of one block, or of all blocks together.

    Args:
        frames_seconds: when each frame is shown.
        tokens: groups of visual tokens, before the projector.
        thumbnails: small pictures, in order of time.
        state: the compressor's state after the block; None without a causal compressor.
        next_number: see `Block`.
        seconds: wall time that the model took.
    """

    frames_seconds: Seconds
    tokens: RaggedTokens
    thumbnails: list[Thumbnail]
    state: CompressorState | None
    next_number: int
    seconds: float


class FileEncoder:
    """Encodes the frames of a file, block by block.

    A block has `block_frames` frames: whole windows of the front end and whole groups of the compressor. Blocks are cut
    at the same places however often work resumes, so the same frames give the same tokens to the last bit.

    Args:
        size_px: height and width of the frames.
        temporal: configuration of the compressor, in place of the model's own.
    """

    def __init__(
        self,
        model: "LongPandaForConditionalGeneration",
        processor: "LongPandaProcessor",
        size_px: tuple[int, int],
        temporal: TemporalConfig | None = None,
    ) -> None:
        self.size_px = size_px
        self._model, self._frames = model, processor.image_processor
        self._visual: VisualEncoder = model.visual if temporal is None else model.visual.at_rate(temporal)
        self.frames_per_group, self.is_causal = self._visual.frames_per_group, self._visual.is_causal
        self.grid = self._visual.grid(*size_px)
        self.tokens_per_group = self._visual.tokens_per_group(*size_px)
        whole = math.lcm(self._visual.front_end.window_frames, self.frames_per_group)
        self.block_frames = whole * math.ceil(LEAST_BLOCK_FRAMES / whole)

    def video(
        self, path: Path, seconds: Seconds, duration_seconds: float, workers: int, state: CompressorState | None = None
    ) -> Generator[EncodedBlock]:
        """Encode the frames of a file at these seconds; frames that cannot be read are left out.

        `state` is the compressor's state after the frames before; None at the beginning.
        """
        if not len(seconds):
            return
        with closing(iter_frames(path, seconds, size_px=self.size_px, workers=workers)) as frames:
            yield from self.encode(_blocks(frames, self.block_frames, duration_seconds), state)

    def encode(self, blocks: Iterable[Block], state: CompressorState | None = None) -> Iterator[EncodedBlock]:
        """Yield each block encoded, or, where the compressor is not causal, all of them as one.

        Args:
            blocks: blocks of `block_frames` frames; only the last may be shorter.
            state: see `video`.
        """
        stream, waiting = StreamState(state), list[_Waiting]()
        for block in blocks:
            began = clock(self._model)
            tokens, stream = self._next(block.clip, stream)
            spent = clock(self._model) - began
            times, small = block.clip.pts_seconds, thumbnails_of(block.clip.frames, block.clip.pts_seconds)
            if tokens is None:
                waiting.append(_Waiting(times, small, block.next_number, spent))
            else:
                yield EncodedBlock(times, tokens, small, stream.compressor, block.next_number, spent)
        if waiting:
            yield self._together(waiting, stream)

    @torch.inference_mode()
    def _next(self, clip: VideoClip, stream: StreamState) -> tuple[RaggedTokens | None, StreamState]:
        """Encode a block: its tokens, or None if they are only known at the end, and the stream's new state."""
        media = self._frames.preprocess([clip])
        frames = FrameBatch(**{name: value.to(self._model.device) for name, value in media.items()})
        with held(self._model):
            tokens, stream = self._visual.stream(frames, stream)
            if not self.is_causal:
                return None, stream
            rest = self._visual.finish(stream)  # only the last block ends within a group
        return RaggedTokens.joined([part for part in (tokens, rest) if part is not None]), stream

    @torch.inference_mode()
    def _together(self, waiting: list["_Waiting"], stream: StreamState) -> EncodedBlock:
        """Finish a compressor that is not causal, for all blocks of a video."""
        began = clock(self._model)
        with held(self._model):
            tokens = self._visual.finish(stream)
        assert tokens is not None
        spent = sum(block.seconds for block in waiting) + clock(self._model) - began
        small = [picture for block in waiting for picture in block.thumbnails]
        times = np.concatenate([block.frames_seconds for block in waiting])
        return EncodedBlock(times, tokens, small, None, waiting[-1].next_number, spent)


def joined(parts: Sequence[EncodedBlock], seconds: Seconds, duration_seconds: float) -> VisualTokens:
    """Join the parts (at least one) that these seconds of a video of this length gave."""
    tokens = RaggedTokens.joined([part.tokens for part in parts])
    shown = np.concatenate([part.frames_seconds for part in parts])
    seen = seen_seconds(seconds, parts[-1].next_number, duration_seconds)
    return VisualTokens(
        tokens.values, offsets(tokens.group_tokens), shown, offsets(tokens.group_frames), duration_seconds, seen
    )


def offsets(sizes: Sequence[int]) -> Counts:
    """Where consecutive pieces of these sizes begin, and where the last ends: [N + 1]."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A block whose tokens are only known at the end of the video."""

    frames_seconds: Seconds
    thumbnails: list[Thumbnail]
    next_number: int
    seconds: float


def _blocks(frames: Iterable[TimedFrame], size: int, duration_seconds: float) -> Iterator[Block]:
    """Blocks of `size` frames; the last may have fewer."""
    remaining = iter(frames)
    while held := list(itertools.islice(remaining, size)):
        times = np.array([frame.pts_seconds for frame in held])
        clip = VideoClip(np.stack([frame.pixels for frame in held]), times, duration_seconds)
        yield Block(clip, held[-1].number + 1)


def seen_seconds(seconds: Seconds, next_number: int, duration_seconds: float) -> float:
    """How far a video was encoded: up to the first requested second that has no frame yet, or its end."""
    return min(float(seconds[next_number]), duration_seconds) if next_number < len(seconds) else duration_seconds


def refuse_unreadable(path: Path, seconds: Seconds, size_px: tuple[int, int]) -> NoReturn:
    """Raise the error for a file that gave no frame at these seconds.

    Raises:
        CutVideoError: always, with where the file ends; VideoError if the file has changed meanwhile.
    """
    decode(path, seconds, size_px=size_px)
    raise VideoError(f"'{path}' changed while it was read", "a file that does not change", "run it again later")


def clock(model: "LongPandaForConditionalGeneration") -> float:
    """The time in seconds, after waiting for the GPU to finish its work."""
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)
    return time.perf_counter()
