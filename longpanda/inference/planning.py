"""Plan how much of a video or an index goes into a prompt, within a model's context and the user's limits."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from longpanda.errors import ConfigError, counted
from longpanda.inference.watched import Watched
from longpanda.processing.budget import QUESTION_TOKENS, Costs, PromptPlan, budget_of, plan, thin
from longpanda.types import ANSWER_TOKENS
from longpanda.video import Sampling, VideoInfo

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration
    from longpanda.processing import LongPandaProcessor


def costs_of(
    model: "LongPandaForConditionalGeneration",
    processor: "LongPandaProcessor",
    group: tuple[int, int],
    end: float,
    answer_tokens: int,
) -> Costs:
    """A model's costs for a video that ends at second `end`, with `group` frames and tokens per group."""
    text, frames = model.config.text_config, processor.image_processor
    return Costs(
        frames_per_group=group[0],
        tokens_per_group=group[1],
        time_tokens=processor.time_tokens(end),
        most_times=math.floor(end / frames.times_seconds) + 1 if frames.times_seconds else None,
        kept_free=QUESTION_TOKENS + answer_tokens,
        context_tokens=getattr(text, "max_position_embeddings", None),
        cache_bytes_per_token=text.num_hidden_layers * _layer_bytes(text, model.dtype),
    )


def _layer_bytes(text: Any, dtype: torch.dtype) -> int:
    """Size of a token's keys and values in one layer."""
    queries = getattr(text, "num_attention_heads", 0)  # a recurrent model has none
    heads = getattr(text, "num_key_value_heads", None) or queries
    head_width = getattr(text, "head_dim", None) or text.hidden_size // max(queries, 1)
    return int(2 * heads * head_width * dtype.itemsize)


def evidence_bytes(model: "LongPandaForConditionalGeneration", tokens: int, rest: int) -> tuple[int, int]:
    """Upper limits, as measured, of the memory for keys and values and of the additional peak memory for evidence.

    The latter is four copies of one layer's keys and values, two more for each query head that shares them, and twice,
    in float32, the logits and, unless attention is fused, its weights.

    Args:
        tokens: number of tokens of a prompt and its answer.
        rest: number of these after the last visual token.
    """
    text = model.config.text_config
    embedding: Any = model.get_input_embeddings()
    queries, words = text.num_attention_heads, embedding.weight.shape[0]
    shared = queries // (getattr(text, "num_key_value_heads", None) or queries)
    layer = tokens * _layer_bytes(text, model.dtype)
    weights = 8 * queries * rest * tokens if model.language_model.config._attn_implementation == "eager" else 0
    return text.num_hidden_layers * layer, (4 + 2 * shared) * layer + 8 * rest * words + weights


def plan_video(
    info: VideoInfo,
    model: "LongPandaForConditionalGeneration",
    processor: "LongPandaProcessor",
    sampling: Sampling | None,
    wish_tokens: int | None,
    memory_bytes: int | None,
    answer_tokens: int = ANSWER_TOKENS,
) -> tuple[Sampling, PromptPlan]:
    """Choose the frames of a video. The model's own sampling is thinned to fit the budget; the caller's is not.

    Raises:
        ConfigError: the caller's sampling, or a single group of frames, exceeds the budget.
    """
    frames = processor.image_processor
    size_px = frames.size_for(info.height_px, info.width_px)
    own = Sampling(**model.config.sampling)
    if wish_tokens is not None:  # replaces the model's own limit, as it does for an index
        own = dataclasses.replace(own, max_frames=None)
    wanted = len((sampling or own).seconds_for(info.duration_seconds))
    group = frames.frames_per_group, frames.tokens_per_group(*size_px)
    costs = costs_of(model, processor, group, info.duration_seconds, answer_tokens)
    budget = budget_of(costs, wish_tokens, memory_bytes)
    planned = plan(info.duration_seconds, wanted / info.duration_seconds, costs, budget)
    if sampling is None:
        return (own if planned.frames == wanted else Sampling(frames=planned.frames)), planned
    if planned.frames < wanted:
        groups = math.ceil(wanted / costs.frames_per_group)
        found = f"{counted(wanted, 'frame')}, {counted(costs.prompt_tokens(groups), 'token')} with their times"
        expected = f"at most {counted(budget.tokens, 'token')} ({budget.limit})"
        raise ConfigError(found, expected, f"ask for at most {counted(planned.frames, 'frame')} (--frames)")
    return sampling, planned


def plan_index(
    watched: Watched,
    model: "LongPandaForConditionalGeneration",
    processor: "LongPandaProcessor",
    wish_tokens: int | None,
    memory_bytes: int | None,
    answer_tokens: int = ANSWER_TOKENS,
) -> PromptPlan:
    """Choose how many of an index's groups to use. Raises ConfigError if the budget has no room for one."""
    tokens = watched.tokens
    # The index's own rate, which may not be the model's.
    group = int(np.diff(tokens.frame_offsets).max()), int(tokens.group_tokens.max())
    costs = costs_of(model, processor, group, tokens.duration_seconds, answer_tokens)
    budget = budget_of(costs, wish_tokens, memory_bytes, model.config.sampling.get("max_frames"))
    return thin(len(tokens.frames_seconds), tokens.seen_seconds, tokens.group_tokens, costs, budget)
