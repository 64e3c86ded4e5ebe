"""STAB as a front end of the visual path."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from longpanda.model.configuration import cells_of
from longpanda.model.fingerprint import fingerprint_parts
from longpanda.model.flops import stab_flops_per_frame
from longpanda.model.stab import FrameTokens
from longpanda.model.tokens import ClipTokens, FrameBatch

if TYPE_CHECKING:
    from longpanda.model.stab import Stab

BLOCK_WINDOWS = 16
"""Windows that a frozen STAB encodes at once in training. It bounds the memory of a long clip."""


class StabFrontEnd:
    """STAB as a `FrontEnd`.

    Args:
        stab: the model's module; this class only calls it.
    """

    def __init__(self, stab: "Stab") -> None:
        self._stab = stab

    @property
    def window_frames(self) -> int:
        """Frames of a window, which STAB encodes together; a stream is cut between windows."""
        return self._stab.config.window_frames

    def encode(self, frames: FrameBatch) -> list[ClipTokens]:
        """Return STAB's tokens of every clip. A batch without `clip_frames` counts as one clip."""
        tokens, cell_px = self._tokens(frames), self._stab.config.cell_px
        grid = (frames.pixel_values.shape[2] // cell_px, frames.pixel_values.shape[3] // cell_px)
        count, seconds = len(frames.pixel_values), frames.frame_seconds
        if seconds is None:
            seconds = torch.zeros(count)  # no compressor follows, so they are not read
        sizes = [count] if frames.clip_frames is None else frames.clip_frames.tolist()
        parts = (torch.split(part, sizes) for part in (tokens.values, seconds, tokens.mask))
        return [ClipTokens(values, grid, times, mask) for values, times, mask in zip(*parts, strict=True)]

    def grid(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return the rows and columns of cells for a picture of this shape."""
        return cells_of(height_px, width_px, self._stab.config)

    def tokens_per_frame(self, height_px: int, width_px: int) -> int:
        """Return the number of tokens for a picture of this shape."""
        return self._stab.config.tokens_per_frame(*self.grid(height_px, width_px))

    def flops_per_frame(self, height_px: int, width_px: int) -> float:
        """Return the floating point operations for a picture of this shape in a full window."""
        return sum(stab_flops_per_frame(self._stab.config, *self.grid(height_px, width_px)).values())

    def fingerprint_parts(self) -> Iterator[bytes]:
        """Yield the configuration and the weights as bytes."""
        return fingerprint_parts(self._stab.config, self._stab)

    def _tokens(self, frames: FrameBatch) -> FrameTokens:
        """Encode all frames at once, or block by block while STAB is frozen in training."""
        learns = any(weight.requires_grad for weight in self._stab.parameters())
        if learns or not torch.is_grad_enabled():
            tokens: FrameTokens = self._stab(frames.pixel_values, frames.patch_boxes, frames.frame_windows)
            return tokens
        with torch.no_grad():
            return self._in_blocks(frames)

    def _in_blocks(self, frames: FrameBatch) -> FrameTokens:
        """Encode `BLOCK_WINDOWS` windows at a time, which is the same because windows are independent."""
        blocks, seen = [], []
        for windows in torch.split(frames.frame_windows, BLOCK_WINDOWS):
            inside = windows >= 0
            seen.append(windows[inside])
            local = torch.full_like(windows, -1)
            local[inside] = torch.arange(len(seen[-1]), device=windows.device)
            blocks.append(self._stab(frames.pixel_values[seen[-1]], frames.patch_boxes[seen[-1]], local))
        order = torch.cat(seen).argsort()
        return FrameTokens(*(torch.cat([getattr(b, name) for b in blocks])[order] for name in ("values", "mask")))
