"""The data types of the visual path: frames, tokens of frames, tokens of groups of frames, and a stream's state.

Letters: F frames of all clips, T frames of one clip, N tokens of a frame, P pooled tokens of a frame, G groups,
V tokens of all groups, W windows, t frames of a window, C width, m open frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from longpanda.errors import ConfigError, PromptError, counted
from longpanda.model.mamba import BlockState
from longpanda.shapes import Bool, Float


@dataclass(frozen=True)
class FrameBatch:
    """Frames of one or several clips, as `FrameProcessor.preprocess` prepares them.

    Args:
        pixel_values: uint8 [F, 3, H, W], the frames of all clips on one canvas.
        patch_boxes: [F, 4], the picture inside each canvas: first and last row, first and last column, in patches.
        frame_windows: [W, t], the frames of each window, -1 for padding.
        frame_seconds: float64 [F], when each frame is shown; None if no times are needed.
        clip_frames: [clips], the number of frames of each clip; None if `frame_seconds` is.

    Raises:
        PromptError: the pixels are not uint8, the numbers of frames and boxes differ, or the times are neither float64
            nor float32.
    """

    pixel_values: Tensor
    patch_boxes: Tensor
    frame_windows: Tensor
    frame_seconds: Tensor | None = None
    clip_frames: Tensor | None = None

    def __post_init__(self) -> None:
        pixels, boxes, seconds = self.pixel_values, self.patch_boxes, self.frame_seconds
        if pixels.dtype != torch.uint8 or len(pixels) != len(boxes):
            found = f"{pixels.dtype} pixel_values of {len(pixels)} frames, {len(boxes)} patch_boxes"
            raise PromptError(found, "uint8 pixels, and a box for each frame", "pass the output of LongPandaProcessor")
        if seconds is not None and seconds.dtype not in (torch.float64, torch.float32):
            found = f"frame_seconds of {seconds.dtype}, which is too coarse for the seconds of a long video"
            raise PromptError(found, "float64", "pass the output of LongPandaProcessor unchanged")

    @property
    def has_times(self) -> bool:
        """Whether the times of the frames are known, and the clip of each frame."""
        return self.frame_seconds is not None and self.clip_frames is not None

    def require_times(self) -> None:
        """Raise PromptError if the times of the frames are not known."""
        if not self.has_times:
            found = "frames without their times for a model with a compressor"
            raise PromptError(found, "frame_seconds and clip_frames", "pass all outputs of the processor")


@dataclass(frozen=True)
class ClipTokens:
    """A front end's tokens of a piece of one video, with the true time of each frame.

    Args:
        values: [T, N, C]: frame token, then cells row by row, each row followed by its split token if there are any.
        grid: rows and columns of cells.
        seconds: float64 [T], never decreasing.
        mask: [T, N], False on padding cells, right of the picture and below it; None without padding. Reading it costs
            a copy from the device, so pass the clip's own grid and no mask where the grid is known.

    Raises:
        ConfigError: there are no frames, shapes do not match, or times decrease or are not finite.
    """

    values: Float[Tensor, "T N C"]
    grid: tuple[int, int]
    seconds: Float[Tensor, " frames"]
    mask: Bool[Tensor, "T N"] | None = None

    def __post_init__(self) -> None:
        frames, tokens, _ = self.values.shape
        rows, columns = self.grid
        if not frames:
            raise ConfigError("a piece without frames", "at least one frame", "leave the piece out")
        if tokens not in (1 + rows * columns, 1 + rows * (columns + 1)) or min(self.grid) < 1:
            expected = f"a frame token and {rows} x {columns} cells"
            raise ConfigError(f"{counted(tokens, 'token')} per frame", expected, "pass the grid that STAB was given")
        if len(self.seconds) != frames:
            found = f"{counted(len(self.seconds), 'time')} of {counted(frames, 'frame')}"
            raise ConfigError(found, "one time per frame", "pass a time for every frame")
        if not self.seconds.isfinite().all() or (self.seconds.diff() < 0).any():
            found = f"times {self.seconds.tolist()[:8]} s" + (" ..." if frames > 8 else "")
            raise ConfigError(found, "finite times that never decrease", "pass frames in the order they are shown")

    def piece(self, first: int, end: int) -> "ClipTokens":
        """Return the frames from `first` up to, but not including, `end`."""
        mask = None if self.mask is None else self.mask[first:end]
        return ClipTokens(self.values[first:end], self.grid, self.seconds[first:end], mask)

    def cells(self) -> Float[Tensor, "T rows columns C"]:
        """Return the cells of the picture, without frame tokens, split tokens and padding."""
        rows, columns = self._picture()
        return self._rows(self.values)[:, :rows, :columns]

    def _rows(self, tokens: Tensor) -> Tensor:
        """Drop the frame token and reshape [T, N, ...] to [T, rows, columns, ...]."""
        return tokens[:, 1:].reshape(len(tokens), self.grid[0], -1, *tokens.shape[2:])

    def _picture(self) -> tuple[int, int]:
        """Return the rows and columns of the cells that are not padding.

        Raises:
            ConfigError: they are not a rectangle that begins at the first cell and is the same in all frames.
        """
        if self.mask is None:
            return self.grid
        inside = self._rows(self.mask)[:, :, : self.grid[1]].cpu()
        rows, columns = int(inside[0].any(1).sum()), int(inside[0].any(0).sum())
        if not inside[:, :rows, :columns].all() or int(inside.sum()) != len(inside) * rows * columns or not rows:
            found = "a mask that is not one rectangle from the first cell on, the same in all frames"
            raise ConfigError(found, "frames of one video", "compress videos one by one")
        return rows, columns


def joined(clips: Sequence[ClipTokens]) -> ClipTokens:
    """Join pieces of one video. They have the same grid, and either all have a mask or none has."""
    masks = [clip.mask for clip in clips if clip.mask is not None]
    values, seconds = torch.cat([clip.values for clip in clips]), torch.cat([clip.seconds for clip in clips])
    return ClipTokens(values, clips[0].grid, seconds, torch.cat(masks) if masks else None)


@dataclass(frozen=True)
class TokenGroups:
    """A compressor's output: groups of frames with the same number of tokens each.

    Args:
        values: [G, P, C].
        spans_seconds: float64 [G, 2], the times of each group's first and last frame.
    """

    values: Float[Tensor, "G P C"]
    spans_seconds: Float[Tensor, "G 2"]


@dataclass(frozen=True)
class RaggedTokens:
    """Visual tokens of groups of frames, before the projector. Groups may have different numbers of tokens.

    Args:
        values: [V, C], group after group.
        group_tokens: [G], the number of tokens of each group.
        group_frames: [G], the number of frames of each group.

    Raises:
        ConfigError: the numbers do not match.
    """

    values: Float[Tensor, "V C"]
    group_tokens: tuple[int, ...]
    group_frames: tuple[int, ...]

    def __post_init__(self) -> None:
        if sum(self.group_tokens) != len(self.values) or len(self.group_tokens) != len(self.group_frames):
            found = f"{len(self.values)} tokens, {len(self.group_tokens)} groups of {sum(self.group_tokens)} tokens"
            expected = "as many tokens as the groups have, and a number of frames for each group"
            remedy = "pass group_tokens and group_frames of all groups"
            raise ConfigError(f"{found}, {len(self.group_frames)} numbers of frames", expected, remedy)

    def __len__(self) -> int:
        return len(self.group_tokens)

    @classmethod
    def of_groups(cls, values: Float[Tensor, "G P C"], group_frames: Sequence[int]) -> "RaggedTokens":
        """Make ragged tokens of groups that all have P tokens."""
        groups, tokens, _ = values.shape
        return cls(values.flatten(0, 1), (tokens,) * groups, tuple(group_frames))

    @classmethod
    def of_frames(cls, clip: ClipTokens) -> "RaggedTokens":
        """Make every frame of a clip a group of its own, without padding."""
        if clip.mask is None:
            return cls.of_groups(clip.values, [1] * len(clip.values))
        return cls(clip.values[clip.mask], tuple(clip.mask.sum(1).tolist()), (1,) * len(clip.values))

    @classmethod
    def joined(cls, parts: Sequence["RaggedTokens"]) -> "RaggedTokens":
        """Join the pieces of one video, at least one."""
        tokens, frames = (tuple(n for one in parts for n in getattr(one, name)) for name in _PER_GROUP)
        return cls(torch.cat([one.values for one in parts]), tokens, frames)


_PER_GROUP = ("group_tokens", "group_frames")


@dataclass(frozen=True)
class CompressorState:
    """A compressor's state in a stream of frames. Its size does not depend on the length of the stream.

    Args:
        blocks: the state of each Mamba-2 block.
        open_values: [m, P, C], tokens of the frames whose group is not complete.
        open_seconds: float64 [m], the times of those frames.
        last_second: time of the last frame.
    """

    blocks: tuple[BlockState, ...]
    open_values: Float[Tensor, "m P C"]
    open_seconds: Float[Tensor, " m"]
    last_second: float

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the state as named tensors, for safetensors. `from_tensors` is the exact inverse."""
        tensors = {f"blocks.{i}.conv": block.conv for i, block in enumerate(self.blocks)}
        tensors |= {f"blocks.{i}.ssm": block.ssm for i, block in enumerate(self.blocks)}
        tensors |= {"open_values": self.open_values, "open_seconds": self.open_seconds}
        tensors |= {"last_second": torch.tensor(self.last_second, dtype=torch.float64)}
        return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "CompressorState":
        """Restore a state from the tensors of `to_tensors`.

        Raises:
            ConfigError: tensors are missing or left over.
        """
        count = sum(name.endswith(".ssm") for name in tensors)
        names = [f"blocks.{i}.{name}" for i in range(count) for name in ("conv", "ssm")]
        names += ["open_values", "open_seconds", "last_second"]
        if set(names) != set(tensors):
            found = f"a compressor's state of {sorted(tensors)}"
            raise ConfigError(found, ", ".join(names), "pass the output of CompressorState.to_tensors")
        blocks = tuple(BlockState(tensors[f"blocks.{i}.conv"], tensors[f"blocks.{i}.ssm"]) for i in range(count))
        return cls(blocks, tensors["open_values"], tensors["open_seconds"], float(tensors["last_second"]))
