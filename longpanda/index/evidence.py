"""Where in the video an answer comes from: the model's own attention, no second network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from longpanda.types import Evidence

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

READ_TOKENS = 16
"""Tokens of an answer whose attention is read, its first ones."""
PEAK_SHARE = 0.4
"""A group belongs to the evidence from this share of the best group's weight on."""
MOST_INTERVALS = 8


@contextmanager
def _weights_shown(model: "LongPandaForConditionalGeneration") -> Iterator[None]:
    """Attention that gives its weights out, for as long as the block lasts."""
    usual = model.language_model.config._attn_implementation
    model.language_model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.language_model.set_attn_implementation(usual)


@torch.inference_mode()
def group_weights(
    model: "LongPandaForConditionalGeneration", cache: Any, ids: Sequence[int], answered: int, groups: int
) -> npt.NDArray[np.float64]:
    """How much of the attention that writes an answer lies on each group of frames: [G], summing to 1.

    The square of what each head of each layer gives to each group, so that a look counts more than a glance over all;
    then summed over the answer's tokens, each by its highest sum: the token that takes something from the video looks
    at one place. The token that ends an answer looks anywhere and is left out. On questions that the bundled model
    answers rightly this finds the evidence more often than the mean of all heads, and than any one layer (docs/log.md).

    Args:
        model: the network.
        cache: keys and values of `ids` up to the token before the answer, at least; cut back to there.
        ids: a prompt and its answer.
        answered: how many of the last ids are the answer's.
        groups: that the visual tokens stand for.
    """
    before = len(ids) - answered - 1
    cache.crop(before - cache.get_seq_length())
    writing = list(ids)[before : -2 if answered > 1 else -1][:READ_TOKENS]
    row = torch.tensor([writing], device=model.device)
    with _weights_shown(model):
        output = model.language_model(row, past_key_values=cache, use_cache=True, output_attentions=True)
    visual = torch.tensor(ids[: before + 1]) == model.config.video_token_id
    where = visual.nonzero()[:, 0].to(model.device)
    looks = torch.zeros(len(writing), groups, dtype=torch.float64)
    for layer in output.attentions:  # [1, heads, answer tokens, keys]
        seen = layer[0].float().index_select(-1, where).unflatten(-1, (groups, -1)).sum(-1)
        looks += seen.pow(2).sum(0).double().cpu()
    per_group = (looks * looks.amax(-1, keepdim=True)).sum(0)
    return (per_group / per_group.sum().clamp(min=torch.finfo(torch.float64).tiny)).numpy()


def intervals(
    weights: npt.NDArray[np.float64],
    starts_seconds: npt.NDArray[np.float64],
    ends_seconds: npt.NDArray[np.float64],
) -> tuple[tuple[Evidence, ...], list[int]]:
    """The stretches of the video with most of the weight.

    Args:
        weights: of each group shown to the model.
        starts_seconds: when the first frame of each is shown.
        ends_seconds: when the next group of the video begins, shown to the model or not, or the video ends.

    Returns:
        the heaviest first; and the groups that they are made of.
    """
    chosen = weights >= PEAK_SHARE * weights.max()
    runs: list[list[int]] = []
    for group in np.flatnonzero(chosen).tolist():
        joins = runs and runs[-1][-1] == group - 1 and starts_seconds[group] <= ends_seconds[group - 1]
        runs = [*runs[:-1], [*runs[-1], group]] if joins else [*runs, [group]]
    runs = sorted(runs, key=lambda run: -float(weights[run].sum()))[:MOST_INTERVALS]
    found = tuple(
        Evidence(float(starts_seconds[run[0]]), float(ends_seconds[run[-1]]), float(weights[run].sum())) for run in runs
    )
    return found, sorted(group for run in runs for group in run)
