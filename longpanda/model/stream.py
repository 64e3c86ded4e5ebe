"""What goes into the temporal compressor, comes out of it, and is kept between two calls.

Letters: T frames, N tokens of a frame as STAB gives them, P pooled tokens of a frame, G groups, C width, m open frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from longpanda.errors import ConfigError, counted
from longpanda.model.mamba import BlockState
from longpanda.shapes import Bool, Float


@dataclass(frozen=True)
class ClipTokens:
    """STAB's tokens of a piece of one video, with the true time of each frame.

    Args:
        values: [T, N, C]: frame token, then cells row by row; split tokens at the ends of rows are left out.
        grid: rows and columns of cells.
        seconds: float64 [T], never falling.
        mask: [T, N], False on cells that are padding, right of the picture and below it; None if none are. To read it
            costs a copy from the device, so give a clip its own grid and no mask where that is known.

    Raises:
        ConfigError: no frames, shapes that do not belong together, or times that fall or are not finite.
    """

    values: Float[Tensor, "T N C"]
    grid: tuple[int, int]
    seconds: Float[Tensor, " frames"]
    mask: Bool[Tensor, "T N"] | None = None

    def __post_init__(self) -> None:
        frames, tokens, _ = self.values.shape
        rows, columns = self.grid
        if not frames:
            raise ConfigError("a piece of no frames", "at least one", "leave the piece out")
        if tokens not in (1 + rows * columns, 1 + rows * (columns + 1)) or min(self.grid) < 1:
            expected = f"a frame token and {rows} x {columns} cells"
            raise ConfigError(f"{counted(tokens, 'token')} per frame", expected, "pass the grid that STAB was given")
        if len(self.seconds) != frames:
            found = f"{counted(len(self.seconds), 'time')} of {counted(frames, 'frame')}"
            raise ConfigError(found, "one time per frame", "pass all of them")
        if not self.seconds.isfinite().all() or (self.seconds.diff() < 0).any():
            found = f"times {self.seconds.tolist()[:8]} s" + (" ..." if frames > 8 else "")
            raise ConfigError(found, "finite times that never fall", "pass frames in the order in which they are shown")

    def piece(self, first: int, end: int) -> "ClipTokens":
        """Frames `first` to `end`, without the last."""
        mask = None if self.mask is None else self.mask[first:end]
        return ClipTokens(self.values[first:end], self.grid, self.seconds[first:end], mask)

    def cells(self) -> Float[Tensor, "T rows columns C"]:
        """The cells of the picture, without frame tokens, split tokens and padding."""
        rows, columns = self._picture()
        return self._rows(self.values)[:, :rows, :columns]

    def _rows(self, tokens: Tensor) -> Tensor:
        """[T, N, ...] as [T, rows, columns, ...], without the frame token."""
        return tokens[:, 1:].reshape(len(tokens), self.grid[0], -1, *tokens.shape[2:])

    def _picture(self) -> tuple[int, int]:
        """Rows and columns of cells that are no padding.

        Raises:
            ConfigError: they are no rectangle that begins at the first cell, or not the same one in all frames.
        """
        if self.mask is None:
            return self.grid
        inside = self._rows(self.mask)[:, :, : self.grid[1]].cpu()
        rows, columns = int(inside[0].any(1).sum()), int(inside[0].any(0).sum())
        if not inside[:, :rows, :columns].all() or int(inside.sum()) != len(inside) * rows * columns or not rows:
            found = "a mask that is not one rectangle of cells from the first one on, the same in all frames"
            raise ConfigError(found, "frames of one video", "compress videos one by one")
        return rows, columns


def joined(clips: Sequence[ClipTokens]) -> ClipTokens:
    """Pieces of one video as one. They have one grid, and all of them a mask or none."""
    masks = [clip.mask for clip in clips if clip.mask is not None]
    values, seconds = torch.cat([clip.values for clip in clips]), torch.cat([clip.seconds for clip in clips])
    return ClipTokens(values, clips[0].grid, seconds, torch.cat(masks) if masks else None)


@dataclass(frozen=True)
class TokenGroups:
    """Tokens of groups of frames.

    Args:
        values: [G, P, C].
        spans_seconds: float64 [G, 2], the times of each group's first and last frame.
    """

    values: Float[Tensor, "G P C"]
    spans_seconds: Float[Tensor, "G 2"]


@dataclass(frozen=True)
class CompressorState:
    """Where a stream of frames stands: constant in size, however long the stream.

    Args:
        blocks: what each Mamba-2 block remembers.
        open_values: [m, P, C], tokens of the frames whose group is not complete.
        open_seconds: float64 [m], their times.
        last_second: time of the last frame.
    """

    blocks: tuple[BlockState, ...]
    open_values: Float[Tensor, "m P C"]
    open_seconds: Float[Tensor, " m"]
    last_second: float

    def to_tensors(self) -> dict[str, Tensor]:
        """Named tensors, such as safetensors keep; `from_tensors` is the inverse, exactly."""
        tensors = {f"blocks.{i}.conv": block.conv for i, block in enumerate(self.blocks)}
        tensors |= {f"blocks.{i}.ssm": block.ssm for i, block in enumerate(self.blocks)}
        tensors |= {"open_values": self.open_values, "open_seconds": self.open_seconds}
        tensors |= {"last_second": torch.tensor(self.last_second, dtype=torch.float64)}
        return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "CompressorState":
        """The state of `to_tensors`.

        Raises:
            ConfigError: tensors are missing, or others are there.
        """
        count = sum(name.endswith(".ssm") for name in tensors)
        names = [f"blocks.{i}.{name}" for i in range(count) for name in ("conv", "ssm")]
        names += ["open_values", "open_seconds", "last_second"]
        if set(names) != set(tensors):
            found = f"a compressor's state of {sorted(tensors)}"
            raise ConfigError(found, ", ".join(names), "pass what CompressorState.to_tensors gave")
        blocks = tuple(BlockState(tensors[f"blocks.{i}.conv"], tensors[f"blocks.{i}.ssm"]) for i in range(count))
        return cls(blocks, tensors["open_values"], tensors["open_seconds"], float(tensors["last_second"]))
