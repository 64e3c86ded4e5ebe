"""Find where in the video an answer comes from, by gradients of its log-odds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from longpanda.model.fading import faded_logits
from longpanda.model.token_map import TokenMap
from longpanda.shapes import Float
from longpanda.types import Evidence, Seconds

if TYPE_CHECKING:
    from longpanda.model.modeling import LongPandaForConditionalGeneration

READ_TOKENS = 16
"""Maximum number of tokens of an answer, its first ones, that are explained."""
FADED = 0.5
"""Factor of the visual tokens' values while an answer is explained; see `group_effects`."""
NEAR_SECONDS = 10.0
"""Length of the window whose groups are summed, so that the density of sampling does not matter."""
NEAR_SHARE = 0.05
"""Maximum length of this window, as a share of the video."""
PEAK_SHARE = 0.4
"""Minimum effect of a group's window, as a share of the best window's, to be evidence."""
LEAST_LOG_ODDS = 2.0
"""Minimum effect of an interval on the log-odds to be evidence: odds 7 times as high."""
STANDS_OUT = 2.0
"""Minimum effect of the best window, in mean effects: where all parts count alike, none is evidence."""
MOST_INTERVALS = 8

Effects = npt.NDArray[np.float64]
Groups = npt.NDArray[np.intp]


@torch.inference_mode(False)
@torch.enable_grad()
def group_effects(
    model: "LongPandaForConditionalGeneration",
    cache: Any,
    held: TokenMap,
    ids: Sequence[int],
    answered: int,
    group_tokens: Sequence[int],
) -> Effects:
    """The effect of each group of frames on the log-odds of an answer's tokens: [G], negative if it lowers them.

    The values of the visual tokens in attention are multiplied by a factor per group, and the log-odds are
    differentiated with respect to it. When the model is sure of an answer, seeing a little more or less hardly changes
    it; with the video faded to half it does. This is the midpoint rule with one step for integrated gradients
    (Sundararajan et al. 2017, equation 1) from no video to all of it, applied to attention as in Hao et al. 2021. Eight
    steps find no more, and attention weights alone find less (docs/log.md). The token that ends an answer depends on
    everything and is left out.

    Args:
        cache: keys and values of `ids`, at least up to the last visual token; it is not changed.
        held: the tokens of `ids` that each layer of the cache holds.
        ids: a prompt and its answer.
        answered: number of tokens of the answer.
        group_tokens: [G], number of visual tokens of each group; a group without any has no effect.
    """
    groups = len(group_tokens)
    visual = torch.tensor(ids[: len(ids) - answered]) == model.config.video_token_id
    end = int(visual.nonzero()[-1, 0]) + 1
    written = min(max(1, answered - 1), READ_TOKENS)
    first = len(ids) - answered
    group_of = torch.full((end,), groups)  # text, such as written times, has the factor 1
    group_of[visual[:end]] = torch.arange(groups).repeat_interleave(torch.tensor(group_tokens))
    row = torch.tensor([list(ids)[end : first + written - 1]], device=model.device)
    factors = torch.cat([torch.full((groups,), FADED), torch.ones(1)]).requires_grad_()
    logits = faded_logits(model.language_model, cache, row, factors[group_of], held)[-written:]
    answer = torch.tensor(list(ids)[first : first + written], device=logits.device)
    (effects,) = torch.autograd.grad(_log_odds(logits.float(), answer), factors)
    return effects[:groups].double().numpy()


def _log_odds(logits: Float[Tensor, "T V"], tokens: Tensor) -> Float[Tensor, ""]:
    """Log-odds of these tokens against all others, summed."""
    own = logits.gather(1, tokens[:, None])
    others = logits.scatter(1, tokens[:, None], -torch.inf).logsumexp(1)
    return (own[:, 0] - others).sum()


def intervals(
    effects: Effects, starts_seconds: Seconds, ends_seconds: Seconds
) -> tuple[tuple[Evidence, ...], list[int]]:
    """The intervals of the video that support an answer; none if no part stands out.

    Args:
        effects: effect of each group in the prompt on the answer's log-odds.
        starts_seconds: when the first frame of each group is shown.
        ends_seconds: when the video's next group begins, in the prompt or not, or the video ends.

    Returns:
        the intervals, in order of decreasing share, and the groups that they consist of.
    """
    weights = np.maximum(effects, 0.0)
    together = _nearby(weights, starts_seconds)
    if together.max() < STANDS_OUT * together.mean():
        return (), []
    chosen = np.flatnonzero(together >= PEAK_SHARE * together.max())
    stretches = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    telling = [stretch for stretch in stretches if effects[stretch].sum() >= LEAST_LOG_ODDS]
    runs = [run for stretch in telling for run in _contiguous(stretch, starts_seconds, ends_seconds)]
    runs = sorted(runs, key=lambda run: -float(weights[run].sum()))[:MOST_INTERVALS]
    found = tuple(
        Evidence(float(starts_seconds[run[0]]), float(ends_seconds[run[-1]]), float(weights[run].sum() / weights.sum()))
        for run in runs
    )
    return found, sorted(int(group) for run in runs for group in run)


def _contiguous(stretch: Groups, starts_seconds: Seconds, ends_seconds: Seconds) -> list[Groups]:
    """Split a stretch at times that none of its groups covers."""
    gaps = starts_seconds[stretch[1:]] > ends_seconds[stretch[:-1]]
    return np.split(stretch, np.flatnonzero(gaps) + 1)


def surrounded(groups: Sequence[int], starts_seconds: Seconds) -> list[int]:
    """These groups and all within a window of them, which show much the same."""
    apart = np.abs(starts_seconds[:, None] - starts_seconds[list(groups)])
    near: list[int] = np.flatnonzero((apart <= _window(starts_seconds)).any(1)).tolist()
    return near


def _nearby(weights: Effects, starts_seconds: Seconds) -> Effects:
    """Sums of weights over the window around each group."""
    half = _window(starts_seconds) / 2
    first = np.searchsorted(starts_seconds, starts_seconds - half, side="left")
    last = np.searchsorted(starts_seconds, starts_seconds + half, side="right")
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    return np.asarray(sums[last] - sums[first])


def _window(starts_seconds: Seconds) -> float:
    """Length of the window in seconds."""
    return float(min(NEAR_SECONDS, NEAR_SHARE * (starts_seconds[-1] - starts_seconds[0])))
