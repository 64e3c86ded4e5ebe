"""Predicted parameters and operations against the modules themselves and PyTorch's counter."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig

from longpanda.errors import ModelError
from longpanda.model.configuration import STAB_SIZES, LongPandaConfig, StabConfig, TemporalConfig
from longpanda.model.flops import (
    llm_flops_per_token,
    projector_flops_per_token,
    stab_flops_per_frame,
    temporal_flops_per_frame,
    tokens_per_frame,
)
from longpanda.model.parameters import parameters_by_part
from longpanda.model.projector import Projector
from longpanda.model.stab import Stab
from longpanda.model.stab_reference import reference_forward
from longpanda.model.temporal import TemporalCompressor
from longpanda.model.tokens import ClipTokens

TINY_LLM = {"vocab_size": 64, "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16}
TINY_LLM |= {"num_attention_heads": 4, "num_key_value_heads": 2}
CONFIGS = {"paper": StabConfig.paper(), **{name: StabConfig.of_size(name) for name in STAB_SIZES}}


def counted(config: StabConfig, frames: int) -> float:
    """Operations of the fast form per frame of a full square canvas, counted on the meta device."""
    side = config.image_px // config.patch_px
    with torch.device("meta"):
        stab = Stab(config).eval()
        pixels = torch.empty(frames, 3, config.image_px, config.image_px)
        boxes, windows = torch.empty(frames, 4, dtype=torch.long), torch.empty(frames // 4, 4, dtype=torch.long)
    assert side % 2 == 0
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        stab(pixels, boxes, windows)
    return counter.get_total_flops() / frames


@pytest.mark.parametrize("name", CONFIGS)
def test_predicted_operations_are_within_one_percent_of_the_counted(name: str) -> None:
    config = CONFIGS[name]
    cells = config.image_px // config.cell_px
    assert sum(stab_flops_per_frame(config, cells, cells).values()) == pytest.approx(counted(config, 16), rel=0.01)


def test_operations_of_the_paper_fast_and_plain() -> None:
    config = StabConfig.paper()
    assert counted(config, 4) < 6.5e9
    pixels, boxes = torch.zeros(4, 3, 448, 448), torch.tensor([[0, 32, 0, 32]] * 4)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        reference_forward(Stab(config).eval(), pixels, boxes, torch.tensor([[0, 1, 2, 3]]))
    assert counter.get_total_flops() / 4 == pytest.approx(14.9e9, rel=0.02)


def test_parameters_of_the_paper_are_those_it_reports() -> None:
    counts = parameters_by_part(LongPandaConfig(StabConfig.paper(), LlamaConfig(**TINY_LLM | {"hidden_size": 4096})))
    stab = sum(count for part, count in counts.items() if part.startswith("stab: "))
    assert stab == 24_086_866
    assert stab + counts["projector"] == 45_066_578
    assert counts["stab: patch embedding"] == 602_112
    assert counts["stab: local encoding"] == 1_403_218 + 28_672
    assert counts["stab: video token"] == 12_598_272 + 1024
    assert counts["stab: downsampling"] == 4_199_424
    assert counts["stab: frame token"] == 4_199_424 + 1_051_648 + 2 * 1024


@pytest.mark.parametrize("tied", [False, True])
def test_language_model_parameters_count_tied_weights_once(tied: bool) -> None:
    text = LlamaConfig(**TINY_LLM, tie_word_embeddings=tied)
    model = LlamaForCausalLM(text)
    counts = parameters_by_part(LongPandaConfig(StabConfig.of_size("nano"), text))
    assert counts["language model"] == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("cells", [(3, 3), (9, 16), (16, 16)], ids=str)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooling": "learned", "pool_frames": 4, "frame_token": True, "expand": 1},
        {"grid": None, "spatial": "mean", "layers": 1, "direction": "bidirectional", "chunk": 32},
        {"grid": (1, 1), "layers": 0},
    ],
    ids=["default", "learned", "bidirectional", "pooling alone"],
)
def test_predicted_operations_of_the_compressor_are_within_one_percent(
    fields: dict[str, Any], cells: tuple[int, int]
) -> None:
    config, frames = TemporalConfig(**{"width": 256} | fields), 64
    with torch.device("meta"):
        compressor = TemporalCompressor(config)
        values = torch.empty(frames, 1 + cells[0] * cells[1], 256)
    seconds = torch.arange(float(frames))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        compressor.forward([ClipTokens(values, cells, seconds)])
    assert counter.get_total_flops() / frames == pytest.approx(
        sum(temporal_flops_per_frame(config, *cells).values()), rel=0.01
    )


def test_a_model_with_a_compressor_counts_its_parameters() -> None:
    text = LlamaConfig(**TINY_LLM)
    config = LongPandaConfig(StabConfig.of_size("nano"), text, temporal_config={"layers": 1})
    want = sum(parameter.numel() for parameter in TemporalCompressor(config.temporal_config).parameters())
    assert parameters_by_part(config)["temporal"] == want
    assert "temporal" not in parameters_by_part(LongPandaConfig(StabConfig.of_size("nano"), text))


def test_projector_operations() -> None:
    config = LongPandaConfig(StabConfig.of_size("nano"), LlamaConfig(**TINY_LLM))
    with FlopCounterMode(display=False) as counter:
        Projector(192, 48)(torch.zeros(10, 192))
    assert counter.get_total_flops() == 10 * projector_flops_per_token(config)


def test_language_model_operations_with_its_attention() -> None:
    text = LlamaConfig(**TINY_LLM, attn_implementation="eager")
    model, length = LlamaForCausalLM(text).eval(), 32
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, length, dtype=torch.long), logits_to_keep=1)
    head = 2 * 48 * 64
    # Eager attention multiplies the masked half too, so every token attends to the whole prompt.
    want = length * llm_flops_per_token(text, context_tokens=length) + head
    assert counter.get_total_flops() == pytest.approx(want, rel=0.01)


def test_mixtures_of_experts_are_refused() -> None:
    text = MixtralConfig(**TINY_LLM, num_local_experts=4)
    with pytest.raises(ModelError, match="dense language model"):
        llm_flops_per_token(text)


@pytest.mark.parametrize(("height", "width", "tokens"), [(448, 448, 273), (252, 448, 154), (1080, 1920, 154)])
def test_tokens_of_a_frame_in_the_paper(height: int, width: int, tokens: int) -> None:
    assert tokens_per_frame(StabConfig.paper(), height, width) == tokens
