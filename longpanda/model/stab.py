"""STAB, the spatio-temporal alignment block of Video-Panda: frames to visual tokens without a vision encoder.

The fast form. Everything is batched over frames and windows in channels-last order, and the three attentions with a
single query each never project all tokens to keys and values: with one query q per head,

    q . (Wk x) = (Wk^T q) . x        and        sum_j p_j (Wv x_j) = Wv (sum_j p_j x_j),

so scores and pooling run on the normalised tokens themselves. The plain form is `stab_reference.py`.

Letters: F frames, t frames of a window, h w patches, C channels, m channels inside LSTE, n cells (2 x 2
patches) of a frame, M cells of all frames, K patches of a cell, G groups, N tokens, d channels of a head.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longpanda.model.configuration import StabConfig
from longpanda.shapes import Bool, Float, Int, UInt8

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

ALIGNED_CHANNELS = 16
"""LSTE's bottleneck is computed with its width rounded up to this: the paper's 682 is slow in matrix products."""
FOLDED_BYTES = 8 << 20
"""On CPU, LSD's folded queries (heads * C numbers per cell) are kept to blocks of this size, which stay in cache."""


@dataclass(frozen=True)
class FrameTokens:
    """Tokens of every frame, padded to one length. `mask` is False on padding.

    Args:
        values: [F, N, C]: frame token, then cells row by row, each row followed by its split token if there are any.
        mask: bool [F, N].
    """

    values: Float[Tensor, "F N C"]
    mask: Bool[Tensor, "F N"]


class FoldedLinear(nn.Module):
    """A linear map whose weights are used folded into something else, so that its forward rarely runs.

    Not an nn.Linear: adapters and quantisers replace those by what computes a forward, and would be ignored or break.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) * inputs**-0.5)
        self.bias: Any = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """The map itself, for the plain form."""
        return F.linear(x, self.weight, self.bias)


class SingleQueryAttention(nn.Module):
    """One query attends to tokens x; keys and values are never formed for all of x. Scores scale as `scale`."""

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.query_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.token_norm = nn.LayerNorm(width)
        self.key = FoldedLinear(width, width, bias=False)
        self.value = FoldedLinear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(
        self, query: Float[Tensor, " C"], tokens: Float[Tensor, "G N C"], mask: Bool[Tensor, "G N"] | None
    ) -> Float[Tensor, "G C"]:
        """One constant query over all tokens of each group (a frame's cells)."""
        x = self.token_norm(tokens)
        q = self.query(self.query_norm(query)).view(self.heads, -1)
        folded = torch.einsum("hd,hdc->hc", q, self.key.weight.view(self.heads, -1, query.shape[-1]))
        pooled = _pool(x, x @ (folded * self.scale).to(x.dtype).T, mask)
        value = self.value.weight.view(self.heads, -1, query.shape[-1])
        out: Tensor = self.out(torch.einsum("ghc,hdc->ghd", pooled, value).flatten(1))
        return out

    def per_cell(self, queries: Float[Tensor, "M C"], tokens: Float[Tensor, "M K C"]) -> Float[Tensor, "M C"]:
        """A query of its own for each cell's tokens, which are already normalised."""
        q = self.query(self.query_norm(queries)) * self.scale
        cells = q.shape[0]
        if q.device.type == "cpu":
            cells = max(1, FOLDED_BYTES // (self.heads * q.shape[1] * q.element_size()))
        blocks = [
            self._read_cells(*block) for block in zip(torch.split(q, cells), torch.split(tokens, cells), strict=True)
        ]
        out: Tensor = self.out(torch.cat(blocks) if len(blocks) > 1 else blocks[0])
        return out

    def _read_cells(self, q: Float[Tensor, "M C"], tokens: Float[Tensor, "M K C"]) -> Float[Tensor, "M C"]:
        m, c = q.shape
        key, value = (weight.view(self.heads, -1, c) for weight in (self.key.weight, self.value.weight))
        folded = torch.bmm(q.view(m, self.heads, -1).transpose(0, 1), key).transpose(0, 1)  # [M, heads, C]
        weights = torch.bmm(folded, tokens.transpose(1, 2)).softmax(-1).to(tokens.dtype)
        pooled = torch.bmm(weights, tokens).transpose(0, 1)  # [heads, M, C]
        return torch.bmm(pooled, value.transpose(1, 2)).transpose(0, 1).reshape(m, c)


def _pool(
    tokens: Float[Tensor, "G N C"], scores: Float[Tensor, "G N heads"], mask: Bool[Tensor, "G N"] | None
) -> Float[Tensor, "G heads C"]:
    """Softmax of scores over N, then the weighted sums of tokens."""
    if mask is not None:
        scores = scores.masked_fill(~mask[..., None], torch.finfo(scores.dtype).min)
    return torch.bmm(scores.softmax(1).to(tokens.dtype).transpose(1, 2), tokens)


class LocalEncoding(nn.Module):
    """LSTE and the dynamic position encoding: how a patch changes over a window (SPEC 3.3). No activation inside."""

    def __init__(self, config: StabConfig) -> None:
        super().__init__()
        c, m = config.width, config.lste_width
        self.spare = -m % ALIGNED_CHANNELS
        self.batch_norm = nn.BatchNorm1d(c) if config.norm == "batch" else None
        self.token_norm = nn.LayerNorm(c) if config.norm == "token" else None
        self.down = FoldedLinear(c, m)
        self.temporal_weight = nn.Parameter(torch.randn(m, 3) * 3**-0.5)
        self.temporal_bias = nn.Parameter(torch.zeros(m))
        self.up = FoldedLinear(m, c)
        self.dpe_weight = nn.Parameter(torch.randn(c, 3, 3, 3) * 27**-0.5)
        self.dpe_bias = nn.Parameter(torch.zeros(c))

    def forward(
        self,
        x: Float[Tensor, "windows t h w C"],
        mask: Float[Tensor, "windows t h w 1"] | None,
        frames: Float[Tensor, "F h w C"],
    ) -> Float[Tensor, "windows t h w C"]:
        """Encode windows. Values outside the mask are meaningless: nothing may read them.

        Args:
            x: patches.
            mask: zeroes what is no picture before each convolution.
            frames: the patches without the padding of windows, whose statistics BatchNorm takes in training mode.
        """
        hidden = self._normed_down(x, frames)
        if mask is not None:
            hidden = hidden.mul_(mask)
        mixed = self._temporal_mix(hidden).flatten(0, 3)
        up = F.pad(self.up.weight, (0, self.spare))
        y = torch.addmm(x.flatten(0, 3), mixed, up.T).add_(self.up.bias).view_as(x)
        if mask is not None:
            y = y.mul_(mask)
        return self._position_encoding(y)

    def _normed_down(
        self, x: Float[Tensor, "windows t h w C"], frames: Float[Tensor, "F h w C"]
    ) -> Float[Tensor, "windows t h w m"]:
        weight: Tensor = self.down.weight
        bias: Tensor = self.down.bias
        if self.token_norm is not None:
            x = self.token_norm(x)
        elif self.batch_norm is not None:  # a scale and a shift per channel: fold both into the projection
            scale, shift = _batch_norm_affine(self.batch_norm, frames)
            weight, bias = weight * scale, bias + weight @ shift
        return F.linear(x, F.pad(weight, (0, 0, 0, self.spare)), F.pad(bias, (0, self.spare)))

    def _temporal_mix(self, hidden: Float[Tensor, "windows t h w m"]) -> Float[Tensor, "windows t h w m"]:
        """Depthwise convolution over the frames of a window, as a channels-last 2-D one with a 3 x 1 kernel."""
        w, t, h, wd, m = hidden.shape
        images = hidden.reshape(w, t, h * wd, m).permute(0, 3, 1, 2)
        weight = F.pad(self.temporal_weight, (0, 0, 0, self.spare)).to(hidden.dtype)
        bias = F.pad(self.temporal_bias, (0, self.spare)).to(hidden.dtype)
        mixed = F.conv2d(images, weight[:, None, :, None], bias, padding=(1, 0), groups=m)
        return mixed.permute(0, 2, 3, 1).reshape(hidden.shape)

    def _position_encoding(self, x: Float[Tensor, "windows t h w C"]) -> Float[Tensor, "windows t h w C"]:
        """x plus its depthwise 3 x 3 x 3 convolution, as three channels-last 2-D ones, one per time offset."""
        identity = F.pad(x.new_ones(1, 1), (1, 1, 1, 1))  # the residual is one more weight in the kernel's centre
        weight = self.dpe_weight.to(x.dtype)
        out = self._spatial_tap(x, weight[:, 1] + identity, self.dpe_bias.to(x.dtype))
        if x.shape[1] > 1:
            out[:, 1:] += self._spatial_tap(x, weight[:, 0], None)[:, :-1]
            out[:, :-1] += self._spatial_tap(x, weight[:, 2], None)[:, 1:]
        return out

    def _spatial_tap(
        self, x: Float[Tensor, "windows t h w C"], weight: Float[Tensor, "C 3 3"], bias: Float[Tensor, " C"] | None
    ) -> Float[Tensor, "windows t h w C"]:
        images = x.flatten(0, 1).permute(0, 3, 1, 2)
        out = F.conv2d(images, weight[:, None], bias, padding=1, groups=images.shape[1])
        return out.permute(0, 2, 3, 1).reshape(x.shape)


def _batch_norm_affine(
    norm: nn.BatchNorm1d, frames: Float[Tensor, "F h w C"]
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """BatchNorm as a scale and a shift; in training mode from the frames' own statistics, and the running ones move."""
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None
    assert var is not None
    if norm.training:
        rows = frames.flatten(0, -2)
        var, mean = torch.var_mean(rows.to(torch.promote_types(rows.dtype, torch.float32)), 0, correction=0)
        _move_running_statistics(norm, mean, var, rows.shape[0])
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    return scale, norm.bias - mean * scale


@torch.no_grad()
def _move_running_statistics(
    norm: nn.BatchNorm1d, mean: Float[Tensor, " C"], var: Float[Tensor, " C"], count: int
) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_((var * (count / (count - 1))).to(norm.running_var.dtype), norm.momentum)
    norm.num_batches_tracked.add_(1)


class VideoToken(nn.Module):
    """GSTRA: one learned query reads all patches of a window (SPEC 3.4)."""

    def __init__(self, config: StabConfig) -> None:
        super().__init__()
        c, hidden = config.width, config.gstra_ratio * config.width
        self.heads = config.heads
        self.token = nn.Parameter(torch.zeros(c))
        self.query_norm, self.token_norm, self.mlp_norm = nn.LayerNorm(c), nn.LayerNorm(c), nn.LayerNorm(c)
        self.query, self.key, self.value = nn.Linear(c, c), FoldedLinear(c, c), FoldedLinear(c, c)
        self.out = nn.Linear(c, c)
        self.mlp_in, self.mlp_out = nn.Linear(c, hidden), nn.Linear(hidden, c)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Float[Tensor, "windows N C"], mask: Bool[Tensor, "windows N"] | None
    ) -> Float[Tensor, "windows C"]:
        """One vector per window from all of its N = t*h*w patches."""
        c = tokens.shape[-1]
        x = self.token_norm(tokens)
        q = self.query(self.query_norm(self.token)).view(self.heads, -1)
        # The key's bias adds the same to every score and drops out of the softmax.
        folded = torch.einsum("hd,hdc->hc", q, self.key.weight.view(self.heads, -1, c))
        pooled = _pool(x, x @ (folded * (c // self.heads) ** -0.5).to(x.dtype).T, mask)
        value = torch.einsum("ghc,hdc->ghd", pooled, self.value.weight.view(self.heads, -1, c)).flatten(1)
        return self.mlp(self.token + self.out(value + self.value.bias))

    def mlp(self, x: Float[Tensor, "windows C"]) -> Float[Tensor, "windows C"]:
        """Residual MLP with QuickGELU, u * sigmoid(1.702 u)."""
        hidden = self.mlp_in(self.mlp_norm(x))
        mlp: Tensor = x + self.mlp_out(self.dropout(hidden * torch.sigmoid(1.702 * hidden)))
        return mlp


class Stab(nn.Module):
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
        self.register_buffer("pixel_mean", torch.tensor(CLIP_MEAN).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("pixel_std", torch.tensor(CLIP_STD).view(3, 1, 1) * 255, persistent=False)

    def forward(
        self,
        pixels: UInt8[Tensor, "F 3 H W"] | Float[Tensor, "F 3 H W"],
        boxes: Int[Tensor, "F 4"],
        windows: Int[Tensor, "windows t"],
        grid: tuple[int, int] | None = None,
    ) -> FrameTokens:
        """Encode frames. Nothing is read back from the device.

        Args:
            pixels: uint8, or float normalised with CLIP's mean and deviation.
            boxes: the picture inside the canvas as (row0, row1, column0, column1) in patches.
            windows: which frames stand together: every frame once, in order, -1 for none (`StabConfig.windows`).
            grid: most cells (rows, columns) of any frame, when smaller than the canvas.
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
        """Patches of pixels, as one matrix product in channels-last order."""
        if pixels.dtype == torch.uint8:
            pixels = (pixels.to(self.patch.weight.dtype) - self.pixel_mean) / self.pixel_std
        f, _, height, width = pixels.shape
        p = self.config.patch_px
        grid = pixels.view(f, 3, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        return F.linear(grid.reshape(f, height // p, width // p, 3 * p * p), self.patch.weight.flatten(1))

    def _encode_windows(
        self, patches: Float[Tensor, "F h w C"], inside: Bool[Tensor, "F h w"] | None, windows: Int[Tensor, "windows t"]
    ) -> tuple[Float[Tensor, "F h w C"], Float[Tensor, "F C"], Bool[Tensor, " F"] | None]:
        """LSTE, DPE and GSTRA: features, each frame's video token, and which frames are alone and bypass them."""
        f, h, w, c = patches.shape
        count, t = windows.shape
        whole = count * t == f  # no padding: then windows are the frames in order, and nothing needs gathering
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
        """LSD: 2 x 2 patches of the picture become one token. Returns rows * columns tokens a frame, and their mask."""
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
        """FSRA: one learned query reads all cells of a frame."""
        vector: Tensor = self.frame_query + self.frame(self.frame_query, cells, mask)
        return vector

    def frame_token(self, frame: Float[Tensor, "F C"], video: Float[Tensor, "F C"]) -> Float[Tensor, "F C"]:
        """FSRA's vector mixed with the window's video token (SPEC 3.8)."""
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
    """True inside each frame's box (row0, row1, column0, column1) in patches."""
    row, column = torch.arange(h, device=boxes.device), torch.arange(w, device=boxes.device)
    rows = (row >= boxes[:, :1]) & (row < boxes[:, 1:2])
    columns = (column >= boxes[:, 2:3]) & (column < boxes[:, 3:])
    return rows[:, :, None] & columns[:, None, :]


def gather_quads(
    dense: Float[Tensor, "F h w C"], boxes: Int[Tensor, "F 4"], rows: int, columns: int
) -> Float[Tensor, "M 4 C"]:
    """The 2 x 2 patches of each of the M = F*rows*columns cells of the boxes; cells outside a box repeat an edge."""
    f, h, w, c = dense.shape
    row = (boxes[:, :1] + torch.arange(2 * rows, device=boxes.device)).clamp(max=h - 1)  # [F, 2*rows]
    column = (boxes[:, 2:3] + torch.arange(2 * columns, device=boxes.device)).clamp(max=w - 1)
    frame = torch.arange(f, device=boxes.device)[:, None, None] * (h * w)
    index = frame + row[:, :, None] * w + column[:, None, :]
    index = index.view(f, rows, 2, columns, 2).transpose(2, 3).reshape(-1)
    return dense.reshape(-1, c).index_select(0, index).view(-1, 4, c)


def slots_of(windows: Int[Tensor, "windows t"], frames: int) -> Int[Tensor, " F"]:
    """Inverse of windows: where in its flat order each of the frames stands."""
    flat = windows.flatten()
    slots = torch.zeros(frames + 1, dtype=torch.long, device=flat.device)
    target = torch.where(flat >= 0, flat, frames)
    return slots.scatter(0, target, torch.arange(flat.numel(), device=flat.device))[:frames]
