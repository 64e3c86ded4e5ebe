"""Where in the video an answer comes from: what makes the model surer of it, no second network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from longpanda.model.fading import faded_logits
from longpanda.model.token_map import TokenMap
from longpanda.shapes import Float
from longpanda.types import Evidence

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

READ_TOKENS = 16
"""Tokens of an answer that are explained, its first ones."""
FADED = 0.5
"""How much of the video the model sees while an answer is explained; see `group_effects`."""
NEAR_SECONDS = 10.0
"""Groups that lie within such a window count together, however densely a video was looked at."""
NEAR_SHARE = 0.05
"""Of a video's length, the longest such window."""
PEAK_SHARE = 0.4
"""A group belongs to the evidence from this share of the best window's effect on."""
LEAST_LOG_ODDS = 2.0
"""What a stretch has to add to the log-odds of an answer to be its evidence: odds that are 7 times as high."""
STANDS_OUT = 2.0
"""How many times the mean effect the best window has to have: where all parts count alike, none is evidence."""
MOST_INTERVALS = 8


@torch.inference_mode(False)
@torch.enable_grad()
def group_effects(
    model: "LongPandaForConditionalGeneration",
    cache: Any,
    held: TokenMap,
    ids: Sequence[int],
    answered: int,
    group_tokens: Sequence[int],
) -> npt.NDArray[np.float64]:
    """By how much each group of frames raises the log-odds of an answer's tokens: [G], below 0 where it lowers them.

    The values that attention takes from the visual tokens are multiplied by a factor for each group, and the
    log-odds are differentiated by it. An answer that the model is sure of hardly changes when it sees a little more or
    less; with the video faded to half it does. This is the midpoint rule with one step for integrated gradients
    (Sundararajan et al. 2017, equation 1) from no video to all of it, on attention as in Hao et al. 2021. Eight steps
    find no more, and attention weights alone less (docs/log.md). The token that ends an answer depends on anything and
    is left out.

    Args:
        model: the network.
        cache: keys and values of `ids` up to the last visual token, at least; stays as it is.
        held: which tokens of `ids` its layers hold.
        ids: a prompt and its answer.
        answered: how many of the last ids are the answer's.
        group_tokens: [G], how many of the visual tokens are of each group; a group without any has no effect.
    """
    groups = len(group_tokens)
    visual = torch.tensor(ids[: len(ids) - answered]) == model.config.video_token_id
    end = int(visual.nonzero()[-1, 0]) + 1
    written = min(max(1, answered - 1), READ_TOKENS)
    first = len(ids) - answered
    group_of = torch.full((end,), groups)  # text, such as written times, has a factor of its own: 1
    group_of[visual[:end]] = torch.arange(groups).repeat_interleave(torch.tensor(group_tokens))
    row = torch.tensor([list(ids)[end : first + written - 1]], device=model.device)
    factors = torch.cat([torch.full((groups,), FADED), torch.ones(1)]).requires_grad_()
    logits = faded_logits(model.language_model, cache, row, factors[group_of], held)[-written:]
    answer = torch.tensor(list(ids)[first : first + written], device=logits.device)
    (effects,) = torch.autograd.grad(_log_odds(logits.float(), answer), factors)
    return effects[:groups].double().numpy()


def _log_odds(logits: Float[Tensor, "T V"], tokens: Tensor) -> Float[Tensor, ""]:
    """Of these tokens against all others, summed."""
    own = logits.gather(1, tokens[:, None])
    others = logits.scatter(1, tokens[:, None], -torch.inf).logsumexp(1)
    return (own[:, 0] - others).sum()


def intervals(
    effects: npt.NDArray[np.float64],
    starts_seconds: npt.NDArray[np.float64],
    ends_seconds: npt.NDArray[np.float64],
) -> tuple[tuple[Evidence, ...], list[int]]:
    """The stretches of the video that speak for an answer; none where no part stands out.

    Args:
        effects: of each group shown to the model, on the answer's log-odds.
        starts_seconds: when the first frame of each is shown.
        ends_seconds: when the next group of the video begins, shown to the model or not, or the video ends.

    Returns:
        the heaviest first; and the groups that they are made of.
    """
    weights = np.maximum(effects, 0.0)
    together = _nearby(weights, starts_seconds)
    if together.max() < STANDS_OUT * together.mean():
        return (), []
    chosen = np.flatnonzero(together >= PEAK_SHARE * together.max())
    stretches = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    telling = [stretch for stretch in stretches if effects[stretch].sum() >= LEAST_LOG_ODDS]
    runs = [run for stretch in telling for run in _seen(stretch, starts_seconds, ends_seconds)]
    runs = sorted(runs, key=lambda run: -float(weights[run].sum()))[:MOST_INTERVALS]
    found = tuple(
        Evidence(float(starts_seconds[run[0]]), float(ends_seconds[run[-1]]), float(weights[run].sum() / weights.sum()))
        for run in runs
    )
    return found, sorted(int(group) for run in runs for group in run)


def _seen(
    stretch: npt.NDArray[np.intp], starts_seconds: npt.NDArray[np.float64], ends_seconds: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.intp]]:
    """The pieces of a stretch between which there is no time that was not looked at."""
    gaps = starts_seconds[stretch[1:]] > ends_seconds[stretch[:-1]]
    return np.split(stretch, np.flatnonzero(gaps) + 1)


def surrounded(groups: Sequence[int], starts_seconds: npt.NDArray[np.float64]) -> list[int]:
    """These groups and all within a window of them, which show much the same."""
    apart = np.abs(starts_seconds[:, None] - starts_seconds[list(groups)])
    near: list[int] = np.flatnonzero((apart <= _window(starts_seconds)).any(1)).tolist()
    return near


def _nearby(weights: npt.NDArray[np.float64], starts_seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums over the window around each group."""
    half = _window(starts_seconds) / 2
    first = np.searchsorted(starts_seconds, starts_seconds - half, side="left")
    last = np.searchsorted(starts_seconds, starts_seconds + half, side="right")
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    together: npt.NDArray[np.float64] = sums[last] - sums[first]
    return together


def _window(starts_seconds: npt.NDArray[np.float64]) -> float:
    """Its length in seconds."""
    return float(min(NEAR_SECONDS, NEAR_SHARE * (starts_seconds[-1] - starts_seconds[0])))
