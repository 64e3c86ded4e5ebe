"""The released Video-Panda weights in our STAB, with the original's key names, chunks and content boxes.

Section numbers are those of the project's description of the original (commit 995a737 of jh-yi/Video-Panda).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from longpanda.errors import LongPandaError, ModelError
from longpanda.model.configuration import StabConfig
from longpanda.model.projector import Projector
from longpanda.model.stab import Stab
from longpanda.shapes import Float, Int

Array = Tensor | npt.NDArray[Any]
StateDict = Mapping[str, Any]

# The original's key: our key, or our keys whose tensors the original concatenates.
TOWER_KEYS: dict[str, tuple[str, ...]] = {
    "class_embedding": ("frame_query",),
    "split_embedding": ("split_token",),
    "temporal_cls_token": ("video.token",),
    "balance": ("balance",),
    "patch_embedding.weight": ("patch.weight",),
    "lmhra1.pos_embed.0.weight": ("local.batch_norm.weight",),
    "lmhra1.pos_embed.0.bias": ("local.batch_norm.bias",),
    "lmhra1.pos_embed.0.running_mean": ("local.batch_norm.running_mean",),
    "lmhra1.pos_embed.0.running_var": ("local.batch_norm.running_var",),
    "lmhra1.pos_embed.1.weight": ("local.down.weight",),
    "lmhra1.pos_embed.1.bias": ("local.down.bias",),
    "lmhra1.pos_embed.2.weight": ("local.temporal_weight",),
    "lmhra1.pos_embed.2.bias": ("local.temporal_bias",),
    "lmhra1.pos_embed.3.weight": ("local.up.weight",),
    "lmhra1.pos_embed.3.bias": ("local.up.bias",),
    "dpe.weight": ("local.dpe_weight",),
    "dpe.bias": ("local.dpe_bias",),
    "dec.attn.in_proj_weight": ("video.query.weight", "video.key.weight", "video.value.weight"),
    "dec.attn.in_proj_bias": ("video.query.bias", "video.key.bias", "video.value.bias"),
    "dec.attn.out_proj.weight": ("video.out.weight",),
    "dec.attn.out_proj.bias": ("video.out.bias",),
    "dec.ln_1.weight": ("video.query_norm.weight",),
    "dec.ln_1.bias": ("video.query_norm.bias",),
    "dec.ln_2.weight": ("video.mlp_norm.weight",),
    "dec.ln_2.bias": ("video.mlp_norm.bias",),
    "dec.ln_3.weight": ("video.token_norm.weight",),
    "dec.ln_3.bias": ("video.token_norm.bias",),
    "dec.mlp.c_fc.weight": ("video.mlp_in.weight",),
    "dec.mlp.c_fc.bias": ("video.mlp_in.bias",),
    "dec.mlp.c_proj.weight": ("video.mlp_out.weight",),
    "dec.mlp.c_proj.bias": ("video.mlp_out.bias",),
    "proj.0.weight": ("frame_norm.weight",),
    "proj.0.bias": ("frame_norm.bias",),
    "proj.2.weight": ("frame_out.weight",),
    "proj.2.bias": ("frame_out.bias",),
    "local_attention.q.0.weight": ("downsample.query_norm.weight",),
    "local_attention.q.0.bias": ("downsample.query_norm.bias",),
    "local_attention.q.1.weight": ("downsample.query.weight",),
    "local_attention.kv.0.weight": ("downsample.token_norm.weight",),
    "local_attention.kv.0.bias": ("downsample.token_norm.bias",),
    "local_attention.kv.1.weight": ("downsample.key.weight", "downsample.value.weight"),
    "local_attention.proj.weight": ("downsample.out.weight",),
    "local_attention.proj.bias": ("downsample.out.bias",),
    "global_attention.q.0.weight": ("frame.query_norm.weight",),
    "global_attention.q.0.bias": ("frame.query_norm.bias",),
    "global_attention.q.1.weight": ("frame.query.weight",),
    "global_attention.kv.0.weight": ("frame.token_norm.weight",),
    "global_attention.kv.0.bias": ("frame.token_norm.bias",),
    "global_attention.kv.1.weight": ("frame.key.weight", "frame.value.weight"),
    "global_attention.proj.weight": ("frame.out.weight",),
    "global_attention.proj.bias": ("frame.out.bias",),
}
PROJECTOR_KEYS: dict[str, tuple[str, ...]] = {
    "0.weight": ("input.weight",),
    "0.bias": ("input.bias",),
    "2.weight": ("output.weight",),
    "2.bias": ("output.bias",),
}
TOWER_PREFIXES = ("model.video_tower.", "model.vision_tower.")
PROJECTOR_PREFIXES = ("model.video_projector.", "model.mm_projector.")
CHUNK_FRAMES = 4
PATCH_PX = 14
EMPTY_MASK_PATCHES = 16
"""Side in patches of the top-left square that the original uses for a frame without content (3.6)."""


def load_tower(stab: Stab, state_dict: StateDict) -> None:
    """Copy a released tower into `stab`, which is `Stab(StabConfig.paper())`.

    Args:
        stab: receives the weights, in its own dtype and on its own device.
        state_dict: the tower's tensors or numpy arrays under the original's keys, bare or in a whole checkpoint as
            `model.video_tower.*` or its alias `model.vision_tower.*`. `lmhra2.*`, which the original never calls, and
            `num_batches_tracked` are ignored.

    Raises:
        ModelError: keys are missing or left over, or a tensor's shape does not fit `stab`. The message names them all.
    """
    arrays = _under_prefix(state_dict, TOWER_PREFIXES)
    used = {k: v for k, v in arrays.items() if not k.startswith("lmhra2.") and not k.endswith("num_batches_tracked")}
    _load(stab, used, TOWER_KEYS, "the Video-Panda tower")


def load_projector(state_dict: StateDict) -> Projector:
    """Load the released projector (mlp2x_gelu), with sizes from its tensors. Prefixes as in `load_tower`.

    Raises:
        ModelError: keys are missing or left over, or shapes do not fit together.
    """
    arrays = _under_prefix(state_dict, PROJECTOR_PREFIXES)
    first = np.shape(arrays["0.weight"]) if "0.weight" in arrays else ()
    if len(first) != 2:
        found = f"projector '0.weight' of shape {list(first)}" if first else f"projector keys {sorted(arrays)[:4]}"
        raise ModelError(found, "a matrix '0.weight', then '0.bias', '2.weight' and '2.bias'", "pass an mlp2x_gelu")
    projector = Projector(first[1], first[0])
    _load(projector, arrays, PROJECTOR_KEYS, "the Video-Panda projector")
    return projector


def _under_prefix(state_dict: StateDict, prefixes: tuple[str, ...]) -> StateDict:
    """Return the entries of a checkpoint under the first prefix that it has, or all entries if it has none."""
    for prefix in prefixes:
        below = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
        if below:
            return below
    return state_dict


def _load(module: nn.Module, arrays: StateDict, table: dict[str, tuple[str, ...]], what: str) -> None:
    missing, unexpected = sorted(table.keys() - arrays.keys()), sorted(arrays.keys() - table.keys())
    if missing or unexpected:
        raise ModelError(
            f"missing keys {missing} and unexpected keys {unexpected}",
            f"the {len(table)} keys of {what}",
            "pass the original's state dict unchanged",
        )
    own = module.state_dict()
    wrong = [f"'{key}' {list(np.shape(arrays[key]))}" for key in table if not _fits(arrays[key], own, table[key])]
    if wrong:
        shapes = {key: [list(own[name].shape) for name in table[key]] for key in table if f"'{key}'" in " ".join(wrong)}
        raise ModelError(f"wrong shapes: {', '.join(wrong)}", f"{shapes} of {what}", "pass weights of the same sizes")
    with torch.no_grad():
        for key, names in table.items():
            parts = torch.as_tensor(arrays[key]).chunk(len(names))
            for name, part in zip(names, parts, strict=True):
                own[name].copy_(part.reshape(own[name].shape))


def _fits(array: Array, own: dict[str, Tensor], names: tuple[str, ...]) -> bool:
    """Whether `array` has the shape of our tensors concatenated, apart from axes of size 1."""
    squeezed = [size for size in np.shape(array) if size != 1]
    rows, *rest = own[names[0]].shape
    return squeezed == [size for size in (rows * len(names), *rest) if size != 1]


@torch.no_grad()
def reference_tokens(
    tower_state_dict: StateDict,
    frames: Array,
    mask: Array,
    projector_state_dict: StateDict | None = None,
) -> tuple[list[Float[np.ndarray, "_ _"]], list[list[int]]]:
    """Compute what the original's `encode_videos` returns, in eval mode and float32.

    Args:
        tower_state_dict: see `load_tower`.
        frames: float [B, T, 3, H, W], pixels normalised with CLIP's mean and deviation. The shape is not in the
            signature, so that wrong shapes get the error below.
        mask: [B, T, H, W], 1 on content, 0 on letterbox; a partly covered patch counts as content.
        projector_state_dict: see `load_projector`; None returns the tower's own tokens.

    Returns:
        Tokens [n, C] of each of the B * T frames in order, and each frame's grid [rows, columns].

    Raises:
        ModelError: the weights do not fit.
        LongPandaError: shapes do not fit together, the original cannot chunk T frames, or the mask leaves less than
            one 2 x 2 window of patches.
    """
    pixels, content = torch.as_tensor(frames).float(), torch.as_tensor(mask).float()
    if pixels.ndim != 5 or pixels.shape[2] != 3 or content.shape != (*pixels.shape[:2], *pixels.shape[3:]):
        raise LongPandaError(
            f"frames {list(pixels.shape)} with mask {list(content.shape)}",
            "[B, T, 3, H, W] and [B, T, H, W]",
            "pass the mask separately from the three colours",
        )
    windows = chunk_windows(pixels.shape[1])
    boxes = content_boxes(content.flatten(0, 1), PATCH_PX)
    stab = Stab(StabConfig.paper()).eval()
    load_tower(stab, tower_state_dict)
    projector = nn.Identity() if projector_state_dict is None else load_projector(projector_state_dict).eval()
    tokens: list[Float[np.ndarray, "_ _"]] = []
    for video, video_boxes in zip(pixels, torch.split(boxes, pixels.shape[1]), strict=True):
        tokens += [projector(frame).numpy() for frame in _video_tokens(stab, video, video_boxes, windows)]
    return tokens, grid_of(boxes).tolist()


def _video_tokens(
    stab: Stab, video: Float[Tensor, "T 3 H W"], boxes: Int[Tensor, "T 4"], windows: Int[Tensor, "windows t"]
) -> list[Float[Tensor, "_ C"]]:
    p = stab.config.patch_px
    height, width = (side // p * p for side in video.shape[-2:])  # the stride drops incomplete patches
    rows, columns = grid_of(boxes).amax(0).tolist()
    out = stab(video[..., :height, :width], boxes, windows, grid=(rows, columns))
    return [values[mask] for values, mask in zip(out.values, out.mask, strict=True)]


def chunk_windows(frames: int) -> Int[Tensor, "windows t"]:
    """Return the frame indices of the original's chunks of one video: `Tensor.chunk(T // 4)`, stacked (SPEC 2).

    Raises:
        LongPandaError: there is no chunk (T = 2, 3), or chunks of unequal length (9, 11, 14, ...), as in the original.
    """
    order = torch.arange(frames)
    if frames == 1:
        return order[None]  # the image path
    chunks = order.chunk(frames // CHUNK_FRAMES) if frames >= CHUNK_FRAMES else ()
    lengths = [len(chunk) for chunk in chunks]
    if not lengths or lengths[-1] != lengths[0]:
        raise LongPandaError(
            f"{frames} frames, which the original cuts into chunks of {lengths}",
            "1 frame, or chunks of equal length >= 4",
            "pass a multiple of 4 frames",
        )
    return torch.stack(chunks)


def content_boxes(mask: Float[Tensor, "F H W"], patch_px: int) -> Int[Tensor, "F 4"]:
    """Return boxes (row0, row1, column0, column1) in patches, as the original finds them (3.6).

    A box spans the first to the last non-zero patch in row-major order. A frame without content gets the top-left
    16 x 16 patches.

    Raises:
        LongPandaError: a box has less than 2 x 2 patches.
    """
    patches = F.avg_pool2d(mask[:, None], patch_px)[:, 0]
    boxes = torch.tensor([_content_box(frame) for frame in patches]).view(-1, 4)
    small = (grid_of(boxes) < 1).any(1).nonzero().flatten()
    if len(small):
        raise LongPandaError(
            f"frame {small[0]} with content in patches {boxes[small[0]].tolist()} (rows, columns)",
            "a filled rectangle of at least 2 x 2 patches",
            "check that the mask is 1 on the whole picture",
        )
    return boxes


def _content_box(patches: Float[Tensor, "h w"]) -> tuple[int, int, int, int]:
    filled = patches.nonzero()
    if len(filled) == 0:
        return 0, min(EMPTY_MASK_PATCHES, patches.shape[0]), 0, min(EMPTY_MASK_PATCHES, patches.shape[1])
    (row0, column0), (row1, column1) = filled[0].tolist(), filled[-1].tolist()
    return row0, row1 + 1, column0, column1 + 1


def grid_of(boxes: Int[Tensor, "F 4"]) -> Int[Tensor, "F 2"]:
    """Return the rows and columns of 2 x 2 cells inside boxes, without an odd last row or column of patches."""
    return (boxes[:, 1::2] - boxes[:, ::2]) // 2
