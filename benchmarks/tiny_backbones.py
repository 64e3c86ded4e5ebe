"""Small versions of every causal language model of transformers: random weights, few layers, all kinds of layers."""

from collections.abc import Collection
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

WIDTH, HEADS, LAYERS, MOST_LAYERS, CONTEXT = 32, 4, 4, 8, 1024
MOST_WEIGHTS = 20_000_000

SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "emb_dim", "dim_model"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads"), HEADS),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "decoder_ffn_dim", "dff", "dim_ff", "d_inner"), 48),
    **dict.fromkeys(("encoder_layers", "num_encoder_layers"), LAYERS),
    **dict.fromkeys(("encoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads"), HEADS),
    **dict.fromkeys(("encoder_ffn_dim", "moe_intermediate_size", "shared_expert_intermediate_size"), 16),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk"), 2),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"), CONTEXT),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "o_lora_rank", "index_topk"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "index_head_dim", "linear_head_dim"), 8),
    **dict.fromkeys(("head_dim", "swa_head_dim", "rotary_dim", "linear_key_head_dim", "linear_value_head_dim"), 8),
    "index_n_heads": 32,  # with few, tokens that none attends to tie, and any change of order breaks ties
    **dict.fromkeys(("linear_num_heads", "linear_num_value_heads", "swa_num_attention_heads"), 4),
    **dict.fromkeys(("linear_num_key_heads", "swa_num_key_value_heads"), 2),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "mamba_head_dim", "mamba_d_head", "mamba_d_state"), 8),
    **dict.fromkeys(("state_size", "ssm_state_size", "time_step_rank"), 8),
    **dict.fromkeys(("mamba_n_groups", "n_groups"), 1),
    **dict.fromkeys(("sliding_window", "sliding_window_size", "window_size", "attention_window_size"), 16),
    **dict.fromkeys(("attention_chunk_size", "chunk_size", "mamba_chunk_size"), 16),
    "is_decoder": True,
    **dict.fromkeys(("initializer_range", "init_std"), 0.3),
}
"""Values of fields by name, for every configuration that has them."""

LATENT = {"num_key_value_heads": HEADS}
"""Attention that derives keys from one latent vector has as many key heads as query heads."""
ONE_ATTENTION = {"attn_layer_period": 2, "attn_layer_offset": 1}
QWEN_4 = {
    "hc_lowrank": 8,
    "ple_embed_dim": 32,
    "indexer_n_heads": 32,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": 16,
    "indexer_compress_ratio": 4,
    "ngram_vocab_size_base": 100,
    "split_ngram_parts": 1,
}
OVERRIDES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite"), LATENT),
    **dict.fromkeys(("glm_moe_dsa", "longcat_flash", "youtu", "minicpm3", "bailing_hybrid", "kimi_linear"), LATENT),
    **dict.fromkeys(("dots3_note", "dots3_note_text"), LATENT | {"per_layer_config": {}, "head_dim": 16}),
    "hy_v4": LATENT | {"indexer_types": ["full", "shared"]},
    "bamba": {"attn_layer_indices": [1, 3]},
    "jamba": ONE_ATTENTION | {"expert_layer_period": 2, "mamba_dt_rank": 4},
    "zamba": {
        "num_hidden_layers": 6,
        "layer_types": ["linear_attention", "hybrid", "linear_attention", "hybrid"] + ["linear_attention"] * 2,
        "attention_hidden_size": 2 * WIDTH,
        "attention_head_dim": 16,
        "num_key_value_heads": HEADS,
        "mamba_dt_rank": 4,
    },
    "falcon_h1": {"mamba_d_ssm": 64},
    "granitemoehybrid": {
        "layer_types": ["linear_attention", "full_attention"] * 2,
        "num_hidden_layers": 4,
        "shared_intermediate_size": 48,
    },
    "mamba": {"intermediate_size": 2 * WIDTH},
    "falcon_mamba": {"intermediate_size": 2 * WIDTH},
    "mamba2": {"num_heads": 8},
    "recurrent_gemma": {"lru_width": WIDTH, "num_hidden_layers": 6},
    "deepseek_v4": {
        "num_key_value_heads": 1,
        "head_dim": 16,
        "o_groups": 2,
        "layer_types": ["heavily_compressed_attention", "compressed_sparse_attention", "sliding_attention"],
        "mlp_layer_types": ["hash_moe", "moe", "moe"],
        "num_hidden_layers": 3,
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 8},
    },
    "gemma3n_text": {
        "num_kv_shared_layers": 2,
        "num_hidden_layers": 5,
        "layer_types": [
            "sliding_attention",
            "full_attention",
            "sliding_attention",
            "sliding_attention",
            "full_attention",
        ],
        "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0, 0.0],
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 700,
        "laurel_rank": 4,
    },
    "gemma4_text": {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 700, "per_layer_config": {}},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "dbrx": {
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8},
    },
    "dots1": {"n_shared_experts": 1, "n_routed_experts": 4, "num_experts_per_tok": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2, "num_hidden_layers": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "longcat_flash": LATENT | {"ffn_hidden_size": 48, "expert_ffn_hidden_size": 16, "zero_expert_num": 2},
    "reformer": {
        "is_decoder": True,
        "axial_pos_shape": [32, 32],
        "num_hidden_layers": 2,
        "axial_pos_embds_dim": [16, 16],
        "attention_head_size": 8,
        "feed_forward_size": 48,
        "attn_layers": ["local", "lsh"],
        "local_attn_chunk_length": 16,
        "lsh_attn_chunk_length": 16,
        "num_buckets": 4,
    },
    "roc_bert": {
        "pronunciation_vocab_size": 40,
        "shape_vocab_size": 40,
        "pronunciation_embed_dim": 16,
        "shape_embed_dim": 16,
    },
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}},
    "qwen4_exp": QWEN_4,
    "qwen4_exp_text": QWEN_4,
    "whisper": {"max_target_positions": CONTEXT},
    "blt": {"encoder_hash_byte_group_vocab": 50},
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 8},
}
"""Further values by type: sizes that must fit each other, and layers of every kind."""

LAYER_LISTS = ("layer_types", "mlp_layer_types")
"""Fields with the kind of each layer."""


def names() -> list[str]:
    """Return the `model_type` of every causal language model."""
    return list(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def tiny_config(name: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """Return a configuration with a few thousand weights, of the language model alone if it has a class of its own."""
    whole = CONFIG_MAPPING[name]
    text = whole() if whole().is_encoder_decoder else whole().get_text_config(decoder=True)
    tokens = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    small = _small(text, tokens)
    if type(text) is whole or (type(text) in MODEL_FOR_CAUSAL_LM_MAPPING and not _is_composite(whole)):
        return small
    parts = {key: _small(getattr(whole(), key)) for key in whole.sub_configs if getattr(whole(), key, None) is not None}
    parts = {key: small if type(part) is type(small) else part for key, part in parts.items()}
    return whole(**{key: part.to_dict() for key, part in parts.items()})


def _is_composite(whole: type[PreTrainedConfig]) -> bool:
    """Whether AutoModelForCausalLM makes a model of which the language model is only a part."""
    return MODEL_FOR_CAUSAL_LM_MAPPING[whole].config_class is whole


def _small(own: PreTrainedConfig, more: dict[str, Any] | None = None) -> PreTrainedConfig:
    """Return a configuration with small numbers."""
    kind = type(own)
    known = {*own.to_dict(), *kind.attribute_map, *LAYER_LISTS}
    fixed = {key for key in known if isinstance(getattr(kind, kind.attribute_map.get(key, key), None), property)}
    fields = {key: value for key, value in SMALL.items() if key in known - fixed}
    fields = {key: value for key, value in fields.items() if kind.attribute_map.get(key) not in fields}
    fields |= _layers(own, fixed)
    return kind(**fields | (more or {}) | OVERRIDES.get(own.model_type, {}))


def _layers(own: PreTrainedConfig, fixed: Collection[str]) -> dict[str, Any]:
    """Return the fields for as few first layers as contain one of each kind."""
    lists: dict[str, list[str]] = {key: getattr(own, key, None) or [] for key in LAYER_LISTS if key not in fixed}
    lists = {key: kinds for key, kinds in lists.items() if kinds}
    least = [next(n for n in range(1, len(kinds) + 1) if set(kinds[:n]) == set(kinds)) for kinds in lists.values()]
    count = min(max([2, *least]), MOST_LAYERS)
    return {key: kinds[:count] for key, kinds in lists.items()} | ({"num_hidden_layers": count} if lists else {})


def tiny_model(name: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return the language model with random weights, the same each time.

    Raises:
        MemoryError: the model is still too large.
    """
    config = tiny_config(name, tokenizer)
    with torch.device("meta"):
        weights = sum(one.numel() for one in AutoModelForCausalLM.from_config(config).parameters())
    if weights > MOST_WEIGHTS:
        raise MemoryError(f"{weights / 1e6:.0f} million weights")
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        if weight.numel() > 1 and not weight.std() > 0:  # zeros and ones would hide what they multiply
            weight.data += 0.3 * torch.randn_like(weight)
    return model
