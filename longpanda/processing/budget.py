"""Plans how many frames and tokens of a video go into a prompt, from its duration, the context and the memory.

No file is opened here.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError, counted
from longpanda.types import Counts

QUESTION_TOKENS = 448
"""Tokens reserved for a question and earlier turns."""


@dataclass(frozen=True)
class Costs:
    """Tokens and memory that a model needs for a video.

    Args:
        frames_per_group: frames that share their tokens.
        tokens_per_group: most visual tokens of a group.
        time_tokens: most tokens of a written time.
        most_times: most times written in a prompt; None means one for every group.
        kept_free: tokens reserved for the question and the answer.
        context_tokens: positions of the language model; None if its configuration does not say.
        cache_bytes_per_token: bytes of the keys and values of a token in all layers.
    """

    frames_per_group: int
    tokens_per_group: int
    time_tokens: int
    most_times: int | None
    kept_free: int
    context_tokens: int | None
    cache_bytes_per_token: int

    def prompt_tokens(self, groups: int, visual_tokens: int | None = None) -> int:
        """Return the tokens of the visual part of a prompt, times included.

        Args:
            groups: groups in the prompt.
            visual_tokens: their visual tokens; None assumes the most.
        """
        times = groups if self.most_times is None else min(groups, self.most_times)
        visual = groups * self.tokens_per_group if visual_tokens is None else visual_tokens
        return visual + times * self.time_tokens

    def most_groups(self, tokens: int) -> int:
        """Return the most groups that fit into this number of tokens."""
        candidates = range(max(0, tokens) // self.tokens_per_group + 1)
        return bisect_right(candidates, max(0, tokens), key=self.prompt_tokens) - 1


@dataclass(frozen=True)
class Budget:
    """The limit on the visual part of a prompt.

    Args:
        tokens: most tokens, times included.
        limit: what sets the limit, in words.
    """

    tokens: int
    limit: str


@dataclass(frozen=True)
class PromptPlan:
    """What a prompt contains of a video.

    Args:
        groups: groups in the prompt.
        of_groups: all groups, of which `groups` are in the prompt.
        frames: frames that are read.
        wanted_frames: frames that would be read without a limit.
        fps: frames per second of video.
        tokens_per_group: most visual tokens of a group.
        visual_tokens: visual tokens in the prompt.
        prompt_tokens: visual tokens and written times.
        budget: the limit on them.
    """

    groups: int
    of_groups: int
    frames: int
    wanted_frames: int
    fps: float
    tokens_per_group: int
    visual_tokens: int
    prompt_tokens: int
    budget: Budget

    def __str__(self) -> str:
        part = "all " if self.groups == self.of_groups > 1 else ""
        part = part if self.groups == self.of_groups else f"{self.groups:,} of "
        most = "" if self.visual_tokens == self.groups * self.tokens_per_group else "at most "
        groups = f"{part}{counted(self.of_groups, 'group')} of {most}{counted(self.tokens_per_group, 'token')}"
        return (
            f"{counted(self.frames, 'frame')}, one every {1 / self.fps:.3g} s, {groups}: "
            f"{counted(self.visual_tokens, 'visual token')}, {self.prompt_tokens:,} with times, "
            f"of {self.budget.tokens:,} ({self.budget.limit})"
        )


def budget_of(
    costs: Costs, wish_tokens: int | None = None, memory_bytes: int | None = None, own_frames: int | None = None
) -> Budget:
    """Return the tightest of the limits set by the caller, the context and the memory.

    Args:
        costs: the model's costs.
        wish_tokens: most tokens of the visual part of a prompt; None for no such limit.
        memory_bytes: most bytes of the keys and values of one prompt.
        own_frames: the model's own limit on frames; it applies if `wish_tokens` is None.

    Raises:
        ConfigError: a limit is not a whole number, or there is no room for a single group.
    """
    limits = []
    if wish_tokens is not None and not isinstance(wish_tokens, int):
        raise ConfigError(f"a budget of {wish_tokens!r} tokens", "a whole number", "use for example 4096")
    if memory_bytes is not None and not (isinstance(memory_bytes, int) and memory_bytes > 0):
        raise ConfigError(f"memory of {memory_bytes!r} bytes", "a whole number above 0", "use for example 2**30")
    if wish_tokens is not None:
        limits.append(Budget(wish_tokens, f"a budget of {counted(wish_tokens, 'token')}"))
    elif own_frames is not None:
        groups = max(1, own_frames // costs.frames_per_group)
        limits.append(Budget(costs.prompt_tokens(groups), f"{counted(own_frames, 'frame')}, this model's own limit"))
    if costs.context_tokens is not None:
        rest = costs.context_tokens - costs.kept_free
        context = counted(costs.context_tokens, "token")
        limits.append(Budget(rest, f"a context of {context}, less {costs.kept_free:,} for the rest"))
    if memory_bytes is not None and costs.cache_bytes_per_token:
        fits = memory_bytes // costs.cache_bytes_per_token - costs.kept_free
        limits.append(Budget(fits, f"{memory_bytes / 2**20:.0f} MiB for keys and values"))
    least = min(limits, key=lambda one: one.tokens, default=Budget(2**62, "no limit"))
    if costs.most_groups(least.tokens) < 1:
        found = f"{least.limit}: room for {counted(max(0, least.tokens), 'visual token')}"
        frames = counted(costs.frames_per_group, "frame")
        expected = f"at least {costs.prompt_tokens(1)}, one group of {frames} with its time"
        raise ConfigError(
            found,
            expected,
            "allow more, ask for a shorter answer, or use a model with more room or fewer tokens per frame",
        )
    return least


def plan(duration_seconds: float, fps: float, costs: Costs, budget: Budget) -> PromptPlan:
    """Plan for as many frames of a video as the budget allows, at most `fps` per second, evenly spread."""
    wanted = max(1, math.ceil(duration_seconds * fps - 1e-9))
    of_groups = math.ceil(wanted / costs.frames_per_group)
    groups = min(of_groups, costs.most_groups(budget.tokens))
    frames = wanted if groups == of_groups else groups * costs.frames_per_group
    rate = fps if frames == wanted else frames / duration_seconds
    tokens = costs.tokens_per_group, groups * costs.tokens_per_group, costs.prompt_tokens(groups)
    return PromptPlan(groups, groups, frames, wanted, rate, *tokens, budget)


def thin(frames: int, duration_seconds: float, group_tokens: Counts, costs: Costs, budget: Budget) -> PromptPlan:
    """Plan for as many groups of an index as the budget allows, evenly spread.

    Args:
        frames: frames of the index.
        duration_seconds: length of the video that they cover.
        group_tokens: [G], visual tokens of each group.
        costs: the model's costs, for a group with the most tokens.
        budget: the limit.
    """
    groups = len(group_tokens)
    kept, most = min(groups, costs.most_groups(budget.tokens)), groups  # `kept` fit even if each has the most tokens
    while kept < most:
        middle = (kept + most + 1) // 2
        visual = int(group_tokens[evenly(groups, middle)].sum())
        kept, most = (middle, most) if costs.prompt_tokens(middle, visual) <= budget.tokens else (kept, middle - 1)
    visual = int(group_tokens[evenly(groups, kept)].sum())
    rate, prompt = frames / max(duration_seconds, 1e-9), costs.prompt_tokens(kept, visual)
    return PromptPlan(kept, groups, frames, frames, rate, costs.tokens_per_group, visual, prompt, budget)


def evenly(count: int, kept: int) -> npt.NDArray[np.int64]:
    """Return the indices of `kept` of `count` items: the middles of equal parts, or all items if there are no more."""
    return ((np.arange(min(kept, count)) + 0.5) * count / min(kept, count)).astype(np.int64)
