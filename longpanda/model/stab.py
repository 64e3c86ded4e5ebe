"""STAB, the spatio-temporal alignment block of Video-Panda: frames to visual tokens without a vision encoder.

The fast form: batched over frames and windows in channels-last order, its single-query attentions folded
(`attention.py`). The plain form is `stab_reference.py`; tests compare the two, and both with the published outputs.

Letters: F frames, t frames of a window, h w patches, C channels, n cells (2 x 2 patches) of a frame, N tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from longpanda.model.attention import SingleQueryAttention, VideoToken
from longpanda.model.configuration import StabConfig
from longpanda.model.local_encoding import LocalEncoding
from longpanda.model.panda_module import PandaModule
from longpanda.shapes import Bool, Float, Int, UInt8

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class FrameTokens:
    """Tokens of every frame, padded to one length.

    Args:
        values: [F, N, C]: frame token, then cells row by row, each row followed by its split token if there are any.
        mask: bool [F, N], False on padding.
    """

    values: Float[Tensor, "F N C"]
    mask: Bool[Tensor, "F N"]


def channels_of(shares: Sequence[float]) -> Tensor:
    """Return one value per colour, scaled to 0-255 [3, 1, 1]; always float32, whatever torch's default dtype is."""
    return torch.tensor(shares, dtype=torch.float32).view(3, 1, 1) * 255


class Stab(PandaModule):
    """Frames to visual tokens (SPEC 3). `Stab(StabConfig.paper())` is the published block."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: StabConfig) -> None:
        super().__init__()
        self.config = config
        c, p = config.width, config.patch_px
        scale = (c // config.heads if config.head_scale else c) ** -0.5
        self.patch = nn.Conv2d(3, c, p, stride=p, bias=False)
        self.local = LocalEncoding(config)
        self.video = VideoToken(config)
        self.downsample = SingleQueryAttention(c, config.heads, scale)
        self.frame = SingleQueryAttention(c, config.heads, scale)
        self.frame_query = nn.Parameter(torch.randn(c))
        self.balance = nn.Parameter(torch.zeros(c))
        self.frame_norm, self.frame_out = nn.LayerNorm(c), nn.Linear(c, c)
        self.dropout = nn.Dropout(config.dropout)
        self.split_token = nn.Parameter(torch.randn(c)) if config.split_tokens else None
        self.cell_position = nn.Parameter(torch.zeros(4, c)) if config.window_positions else None
        self.register_buffer("pixel_mean", channels_of(CLIP_MEAN), persistent=False)
        self.register_buffer("pixel_std", channels_of(CLIP_STD), persistent=False)

    def reset_parameters(self) -> None:
        """Draw the patch embedding, query and positions at random, and set the pixel constants again.

        The constants are in no checkpoint, and `from_pretrained` creates models on the meta device, without values.
        """
        init.copy_(self.pixel_mean, channels_of(CLIP_MEAN))
        init.copy_(self.pixel_std, channels_of(CLIP_STD))
        fan_in = 3 * self.config.patch_px**2
        init.normal_(self.patch.weight, std=fan_in**-0.5)
        init.normal_(self.frame_query)
        init.zeros_(self.balance)
        if self.split_token is not None:
            init.normal_(self.split_token)
        if self.cell_position is not None:
            init.normal_(self.cell_position)

    def forward(
        self,
        pixels: UInt8[Tensor, "F 3 H W"] | Float[Tensor, "F 3 H W"],
        boxes: Int[Tensor, "F 4"],
        windows: Int[Tensor, "windows t"],
        grid: tuple[int, int] | None = None,
    ) -> FrameTokens:
        """Encode frames, without copying anything back from the device.

        Args:
            pixels: uint8, or float normalised with CLIP's mean and deviation.
            boxes: the picture inside the canvas as (row0, row1, column0, column1) in patches.
            windows: the frames of each window: every frame once, in order, -1 for padding (`StabConfig.windows`).
            grid: the largest (rows, columns) of cells of any frame, when smaller than the canvas.
        """
        patches = self.embed(pixels)
        h, w = patches.shape[1:3]
        inside = box_mask(boxes, h, w) if self.config.masked else None
        if inside is not None:
            patches = patches.mul_(inside[..., None].to(patches.dtype))
        rows, columns = grid or (h // 2, w // 2)
        if self.config.single_frame_bypass and windows.shape[1] == 1:
            cells, cell_mask = self.cells(patches, boxes, rows, columns)
            token = self.frame_vector(cells, cell_mask)
        else:
            z, video, alone = self._encode_windows(patches, inside, windows)
            cells, cell_mask = self.cells(z + patches, boxes, rows, columns)
            frame = self.frame_vector(cells, cell_mask)
            token = self.frame_token(frame, video)
            if alone is not None:
                token = torch.where(alone[:, None], frame, token)
        return self._assemble(token, cells, cell_mask, (rows, columns))

    def embed(self, pixels: UInt8[Tensor, "F 3 H W"] | Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F h w C"]:
        """Embed pixels as patches, by one matrix product in channels-last order."""
        if pixels.dtype == torch.uint8:
            dtype = self.patch.weight.dtype
            pixels = (pixels.to(dtype) - self.pixel_mean.to(dtype)) / self.pixel_std.to(dtype)
        f, _, height, width = pixels.shape
        p = self.config.patch_px
        grid = pixels.view(f, 3, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        return F.linear(grid.reshape(f, height // p, width // p, 3 * p * p), self.patch.weight.flatten(1))

    def _encode_windows(
        self, patches: Float[Tensor, "F h w C"], inside: Bool[Tensor, "F h w"] | None, windows: Int[Tensor, "windows t"]
    ) -> tuple[Float[Tensor, "F h w C"], Float[Tensor, "F C"], Bool[Tensor, " F"] | None]:
        """Apply LSTE, DPE and GSTRA.

        Returns:
            Features, each frame's video token, and which frames are alone in their window and bypass all of this.
        """
        f, h, w, c = patches.shape
        count, t = windows.shape
        whole = count * t == f  # without padding, the windows are the frames in order: no gather is needed
        if whole:
            x = patches.view(count, t, h, w, c)
            mask = None if inside is None else inside.view(count, t, h, w)
        else:
            real = (windows >= 0)[..., None, None]
            x = patches[windows.clamp(min=0)]
            mask = real.expand(count, t, h, w) if inside is None else inside[windows.clamp(min=0)] & real
        z = self.local(x, None if mask is None else mask[..., None].to(x.dtype), patches)
        video = self.video(z.flatten(1, 3), None if mask is None else mask.flatten(1))
        per_slot = video[:, None].expand(count, t, c).flatten(0, 1)
        z = z.flatten(0, 1)
        if whole:
            return z, per_slot, None
        slots = slots_of(windows, f)
        z, per_slot = z[slots], per_slot[slots]
        if not self.config.single_frame_bypass:
            return z, per_slot, None
        alone = ((windows >= 0).sum(1) == 1)[slots // t]
        return z.masked_fill(alone[:, None, None, None], 0), per_slot, alone

    def cells(
        self, dense: Float[Tensor, "F h w C"], boxes: Int[Tensor, "F 4"], rows: int, columns: int
    ) -> tuple[Float[Tensor, "F n C"], Bool[Tensor, "F n"]]:
        """LSD: merge 2 x 2 patches to one cell. Returns rows * columns cells per frame, and their mask."""
        f, _, _, c = dense.shape
        quads = gather_quads(dense, boxes, rows, columns)
        mean = quads.mean(1)
        tokens = self.downsample.token_norm(quads)
        if self.cell_position is not None:
            tokens = tokens + self.cell_position
        merged = mean + self.downsample.per_cell(mean, tokens)
        count = (boxes[:, 1::2] - boxes[:, ::2]) // 2  # [F, 2] rows and columns
        row, column = torch.arange(rows, device=boxes.device), torch.arange(columns, device=boxes.device)
        mask = (row < count[:, :1])[:, :, None] & (column < count[:, 1:])[:, None, :]
        return merged.view(f, rows * columns, c), mask.flatten(1)

    def frame_vector(self, cells: Float[Tensor, "F n C"], mask: Bool[Tensor, "F n"]) -> Float[Tensor, "F C"]:
        """FSRA: read all cells of a frame with one learned query."""
        vector: Tensor = self.frame_query + self.frame(self.frame_query, cells, mask)
        return vector

    def frame_token(self, frame: Float[Tensor, "F C"], video: Float[Tensor, "F C"]) -> Float[Tensor, "F C"]:
        """Mix FSRA's vector with the window's video token (SPEC 3.8)."""
        gate = torch.sigmoid(self.balance)
        token: Tensor = self.frame_out(self.dropout(self.frame_norm((1 - gate) * video + gate * frame)))
        return token

    def _assemble(
        self,
        frame: Float[Tensor, "F C"],
        cells: Float[Tensor, "F n C"],
        mask: Bool[Tensor, "F n"],
        grid: tuple[int, int],
    ) -> FrameTokens:
        f, _, c = cells.shape
        if self.split_token is not None:
            grid_mask = mask.view(f, *grid)
            split = self.split_token.to(cells.dtype).expand(f, grid[0], 1, c)
            cells = torch.cat([cells.view(f, *grid, c), split], 2).flatten(1, 2)
            mask = torch.cat([grid_mask, grid_mask[..., :1]], 2).flatten(1)
        ones = torch.ones(f, 1, dtype=torch.bool, device=mask.device)
        return FrameTokens(torch.cat([frame[:, None], cells], 1), torch.cat([ones, mask], 1))


def box_mask(boxes: Int[Tensor, "F 4"], h: int, w: int) -> Bool[Tensor, "F h w"]:
    """Return a mask that is True inside each frame's box (row0, row1, column0, column1) in patches."""
    row, column = torch.arange(h, device=boxes.device), torch.arange(w, device=boxes.device)
    rows = (row >= boxes[:, :1]) & (row < boxes[:, 1:2])
    columns = (column >= boxes[:, 2:3]) & (column < boxes[:, 3:])
    return rows[:, :, None] & columns[:, None, :]


def gather_quads(
    dense: Float[Tensor, "F h w C"], boxes: Int[Tensor, "F 4"], rows: int, columns: int
) -> Float[Tensor, "M 4 C"]:
    """Gather the 2 x 2 patches of each of the M = F*rows*columns cells of the boxes.

    Cells outside a box repeat its edge.
    """
    f, h, w, c = dense.shape
    row = (boxes[:, :1] + torch.arange(2 * rows, device=boxes.device)).clamp(max=h - 1)  # [F, 2*rows]
    column = (boxes[:, 2:3] + torch.arange(2 * columns, device=boxes.device)).clamp(max=w - 1)
    frame = torch.arange(f, device=boxes.device)[:, None, None] * (h * w)
    index = frame + row[:, :, None] * w + column[:, None, :]
    index = index.view(f, rows, 2, columns, 2).transpose(2, 3).reshape(-1)
    return dense.reshape(-1, c).index_select(0, index).view(-1, 4, c)


def slots_of(windows: Int[Tensor, "windows t"], frames: int) -> Int[Tensor, " F"]:
    """Invert `windows`: return each frame's index into the flattened windows."""
    flat = windows.flatten()
    slots = torch.zeros(frames + 1, dtype=torch.long, device=flat.device)
    target = torch.where(flat >= 0, flat, frames)
    return slots.scatter(0, target, torch.arange(flat.numel(), device=flat.device))[:frames]
