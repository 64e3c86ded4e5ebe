"""Floating point operations of a model by part, from its configuration alone.

Only matrix products and convolutions count, and a multiply-add is two operations, as in `torch.utils.flop_counter`.
Tests compare these formulas with that counter.
"""

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig

from longpanda.errors import ModelError
from longpanda.model.configuration import LongPandaConfig, StabConfig, TemporalConfig, cells_of
from longpanda.model.local_encoding import ALIGNED_CHANNELS
from longpanda.model.pooling import windows_of


def tokens_per_frame(
    config: StabConfig, height_px: int, width_px: int, temporal: TemporalConfig | None = None
) -> float:
    """Return the visual tokens per frame of this size, after the compressor if there is one."""
    cells = cells_of(height_px, width_px, config)
    if temporal is None:
        return config.tokens_per_frame(*cells)
    return temporal.tokens_per_group(*cells) / temporal.pool_frames


def stab_flops_per_frame(config: StabConfig, rows_cells: int, columns_cells: int) -> dict[str, float]:
    """Count operations of STAB's fast form by part, for one frame of a full window on a canvas of this many cells.

    Operations that run once per call for all frames (folding the queries of GSTRA and FSRA) are not counted.
    """
    c, heads, t = config.width, config.heads, config.window_frames
    cells = rows_cells * columns_cells
    patches = 4 * cells
    bottleneck = config.lste_width + -config.lste_width % ALIGNED_CHANNELS
    time_taps = 3 if t > 1 else 1
    parts = {
        "patch embedding": patches * 3 * config.patch_px**2 * c,
        "local encoding": patches * (2 * c * bottleneck + 3 * bottleneck + 9 * time_taps * c),
        "video token": patches * 2 * heads * c + (2 + 2 * config.gstra_ratio) * c**2 / t,
        "downsampling": cells * (4 * c**2 + 4 * 2 * heads * c),
        "frame token": cells * 2 * heads * c + 3 * c**2,
    }
    if t == 1 and config.single_frame_bypass:
        parts |= {"local encoding": 0, "video token": 0, "frame token": cells * 2 * heads * c + 2 * c**2}
    return {part: 2.0 * multiply_adds for part, multiply_adds in parts.items()}


def temporal_flops_per_frame(config: TemporalConfig, rows_cells: int, columns_cells: int) -> dict[str, float]:
    """Count operations of the temporal compressor by part, for one frame of a clip of full chunks and groups.

    A partial chunk costs less per token.
    """
    c, inner, n = config.width, config.expand * config.width, config.state_width
    heads, directions = inner // config.head_width, 2 if config.direction == "bidirectional" else 1
    rows, columns = config.pooled_grid(rows_cells, columns_cells)
    window = len(windows_of(rows_cells, rows)[0]) * len(windows_of(columns_cells, columns)[0])
    tokens = config.tokens_per_group(rows_cells, columns_cells)
    projections = c * (2 * inner + 2 * n + heads) + config.conv_kernel * (inner + 2 * n) + inner * c
    scan = config.chunk * (n + inner) + 2 * inner * n
    parts = {"spatial pooling": 0, "blocks": directions * config.layers * tokens * (projections + scan)}
    if config.spatial == "learned" and config.grid is not None:
        parts["spatial pooling"] = rows * columns * (4 * c**2 + 2 * (c // config.head_width) * window * c)
    parts["temporal pooling"] = tokens * c * (c // config.head_width) if config.pooling == "learned" else 0
    return {part: 2.0 * multiply_adds for part, multiply_adds in parts.items()}


def projector_flops_per_token(config: LongPandaConfig) -> float:
    """Count operations of the projector for one visual token."""
    visual, model = config.stab_config.width, _text_width(config.text_config)
    return 2.0 * model * (visual + model)


def llm_flops_per_token(config: PreTrainedConfig, context_tokens: int = 0) -> float:
    """Count operations of a dense language model for one token of a prompt.

    The head is not counted, because it reads only the prompt's last token.

    Args:
        config: the language model's configuration.
        context_tokens: tokens that this one attends to. Half the prompt's length gives the mean over a prompt.

    Raises:
        ModelError: the model has weights outside linear layers, such as the experts of a mixture.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    layers = [module for module in model.modules() if isinstance(module, nn.Linear) and module is not head]
    known = {id(module.weight) for module in model.modules() if isinstance(module, (nn.Linear, nn.Embedding))}
    unknown = [name for name, weight in model.named_parameters() if weight.dim() > 1 and id(weight) not in known]
    if unknown:
        raise ModelError(
            f"'{config.model_type}' with weights {unknown[:2]} outside linear layers",
            "a dense language model",
            "count this one with torch.utils.flop_counter",
        )
    linear = 2.0 * sum(layer.weight.numel() for layer in layers)
    head_width = getattr(config, "head_dim", None) or _text_width(config) // config.num_attention_heads
    attention = 4.0 * config.num_hidden_layers * config.num_attention_heads * head_width
    return float(linear + attention * context_tokens)


def _text_width(config: PreTrainedConfig) -> int:
    width: int = config.hidden_size
    return width
