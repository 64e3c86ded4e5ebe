"""STAB in its plain form: window by window, frame by frame, with every key and value projected and nothing folded.

It follows the description of the original (section numbers below) and, for our own configuration, `StabConfig`. It uses
the parameters of a `Stab`. It is slow: only tests use it, to check the fast form in `stab.py`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from longpanda.model.attention import SingleQueryAttention, VideoToken
from longpanda.model.local_encoding import LocalEncoding
from longpanda.model.stab import Stab
from longpanda.shapes import Bool, Float, Int, UInt8


def reference_forward(
    stab: Stab,
    pixels: UInt8[Tensor, "F 3 H W"] | Float[Tensor, "F 3 H W"],
    boxes: Int[Tensor, "F 4"],
    windows: Int[Tensor, "windows t"],
) -> list[Float[Tensor, "_ C"]]:
    """Return the tokens [n, C] of each frame: frame token, then cells row by row. Arguments as in `Stab.forward`."""
    inside = [_inside(box, pixels.shape[2:], stab.config.patch_px) for box in boxes.tolist()]
    patches = _patches(stab, pixels)
    if stab.config.masked:
        patches = patches * torch.stack(inside)[:, None].to(patches.dtype)
    normed = patches
    if stab.local.batch_norm is not None and not (stab.config.single_frame_bypass and windows.shape[1] == 1):
        normed = stab.local.batch_norm(patches.flatten(2)).view_as(patches)  # statistics over all frames of the call
    tokens: dict[int, Tensor] = {}
    for window in windows.tolist():
        frames = [frame for frame in window if frame >= 0]
        mask = torch.stack([inside[frame] for frame in frames]) if stab.config.masked else None
        dense, video = _window(stab, patches[frames], normed[frames], mask)
        for frame, features in zip(frames, dense, strict=True):
            tokens[frame] = _frame_tokens(stab, features, boxes[frame].tolist(), video)
    return [tokens[frame] for frame in range(len(boxes))]


def _patches(stab: Stab, pixels: Tensor) -> Float[Tensor, "F C h w"]:
    """Embed the normalised colours by a strided convolution (3.1)."""
    if pixels.dtype == torch.uint8:
        dtype = stab.patch.weight.dtype
        pixels = (pixels.to(dtype) - stab.pixel_mean.to(dtype)) / stab.pixel_std.to(dtype)
    return F.conv2d(pixels, stab.patch.weight, stride=stab.config.patch_px)


def _inside(box: list[int], size_px: torch.Size, patch_px: int) -> Bool[Tensor, "h w"]:
    mask = torch.zeros(size_px[0] // patch_px, size_px[1] // patch_px, dtype=torch.bool)
    mask[box[0] : box[1], box[2] : box[3]] = True
    return mask


def _window(
    stab: Stab, patches: Float[Tensor, "t C h w"], normed: Float[Tensor, "t C h w"], mask: Bool[Tensor, "t h w"] | None
) -> tuple[Float[Tensor, "t C h w"], Float[Tensor, " C"] | None]:
    """Return the features of a window's frames and its video token.

    In the paper's form a frame that is alone keeps its patches, without a video token (3.5).
    """
    if stab.config.single_frame_bypass and len(patches) == 1:
        return patches, None
    p, x = patches.transpose(0, 1), normed.transpose(0, 1)  # [C, t, h, w], as Conv3d wants
    z = _local_encoding(stab.local, p, x, torch.ones_like(p[0]) if mask is None else mask.to(p.dtype))
    keys = z.flatten(1).T if mask is None else z.flatten(1).T[mask.flatten()]
    return (z + p).transpose(0, 1), _video_token(stab.video, keys)


def _local_encoding(
    local: LocalEncoding, p: Float[Tensor, "C t h w"], x: Float[Tensor, "C t h w"], mask: Float[Tensor, "t h w"]
) -> Float[Tensor, "C t h w"]:
    """Apply LSTE and the dynamic position encoding (3.3), with zeros outside the mask before every convolution."""
    if local.token_norm is not None:
        x = local.token_norm(x.movedim(0, -1)).movedim(-1, 0)
    hidden = F.conv3d(x, local.down.weight[:, :, None, None, None], local.down.bias) * mask
    taps = local.temporal_weight[:, None, :, None, None]
    mixed = F.conv3d(hidden, taps, local.temporal_bias, padding=(1, 0, 0), groups=len(taps))
    y = (p + F.conv3d(mixed, local.up.weight[:, :, None, None, None], local.up.bias)) * mask
    kernel = local.dpe_weight[:, None]
    return (y + F.conv3d(y, kernel, local.dpe_bias, padding=1, groups=len(kernel))) * mask


def _video_token(video: VideoToken, patches: Float[Tensor, "N C"]) -> Float[Tensor, " C"]:
    """Apply GSTRA (3.4): pre-norm cross attention of one query, then an MLP with QuickGELU."""
    tokens = video.token_norm(patches)
    query = video.query(video.query_norm(video.token))
    scale = (query.shape[0] // video.heads) ** -0.5
    x = video.token + video.out(_attend(query, video.key(tokens), video.value(tokens), video.heads, scale))
    hidden = video.mlp_in(video.mlp_norm(x))
    out: Tensor = x + video.mlp_out(video.dropout(hidden * torch.sigmoid(1.702 * hidden)))
    return out


def _frame_tokens(
    stab: Stab, dense: Float[Tensor, "C h w"], box: list[int], video: Float[Tensor, " C"] | None
) -> Float[Tensor, "_ C"]:
    """Crop, merge 2 x 2 patches, read the frame, and put its tokens in order (3.6 to 3.9)."""
    cells = _cells(stab, dense[:, box[0] : box[1], box[2] : box[3]])
    flat = cells.flatten(0, 1)
    frame = stab.frame_query + _cross_attention(stab.frame, stab.frame_query, stab.frame.token_norm(flat))
    if video is not None:
        gate = torch.sigmoid(stab.balance)
        frame = stab.frame_out(stab.dropout(stab.frame_norm((1 - gate) * video + gate * frame)))
    if stab.split_token is not None:
        cells = torch.cat([cells, stab.split_token.expand(len(cells), 1, -1)], 1)
    return torch.cat([frame[None], cells.flatten(0, 1)])


def _cells(stab: Stab, crop: Float[Tensor, "C h w"]) -> Float[Tensor, "rows columns C"]:
    """Apply LSD (3.7): the mean of 2 x 2 patches attends to the four, and is not normalised in the residual."""
    rows, columns = crop.shape[1] // 2, crop.shape[2] // 2  # an odd last row or column is dropped
    mean = F.avg_pool2d(crop, 2).permute(1, 2, 0)
    even = crop[:, : 2 * rows, : 2 * columns].permute(1, 2, 0)
    quads = torch.stack([even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]], 2)
    patches = stab.downsample.token_norm(quads)
    if stab.cell_position is not None:
        patches = patches + stab.cell_position
    return mean + _cross_attention(stab.downsample, mean, patches)


def _cross_attention(
    attention: SingleQueryAttention, query: Float[Tensor, "*G C"], tokens: Float[Tensor, "*G N C"]
) -> Float[Tensor, "*G C"]:
    """Apply the attention of LSD (G cells) and FSRA (no G) to tokens that are already normalised."""
    q = attention.query(attention.query_norm(query))
    mixed = _attend(q, attention.key(tokens), attention.value(tokens), attention.heads, attention.scale)
    out: Tensor = attention.out(mixed)
    return out


def _attend(
    query: Float[Tensor, "*G C"],
    keys: Float[Tensor, "*G N C"],
    values: Float[Tensor, "*G N C"],
    heads: int,
    scale: float,
) -> Float[Tensor, "*G C"]:
    """Compute scaled dot-product attention of one query, head by head."""
    parts = zip(query.chunk(heads, -1), keys.chunk(heads, -1), values.chunk(heads, -1), strict=True)
    mixed = [((k @ q[..., None]) * scale).softmax(-2).mT @ v for q, k, v in parts]
    return torch.cat(mixed, -1).squeeze(-2)
