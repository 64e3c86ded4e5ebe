"""Plans never cost more than they may, and use what they may."""

import itertools

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.processing.budget import Costs, budget_of, evenly, plan, thin

HOUR = 3600.0


def costs(**changes: int) -> Costs:
    usual = {
        "frames_per_group": 1,
        "tokens_per_group": 16,
        "time_tokens": 4,
        "most_times": None,
        "kept_free": 512,
        "context_tokens": 32768,
        "cache_bytes_per_token": 2**15,
    }
    return Costs(**{**usual, **changes})


def test_no_plan_costs_more_than_its_budget_and_none_leaves_room_for_another_group():
    sizes = itertools.product(
        (1, 2, 4), (1, 4, 16, 257), (2, 6), (0, None, 5), (300, 4096, 30000), (60.0, HOUR, 2 * HOUR)
    )
    for k, tokens, time, times, wish, seconds in sizes:
        spending = costs(frames_per_group=k, tokens_per_group=tokens, time_tokens=time, most_times=times)
        planned = plan(seconds, 1.0, spending, budget_of(spending, wish))
        assert planned.prompt_tokens <= wish
        assert planned.frames <= seconds
        left = planned.frames < seconds
        assert not left or spending.prompt_tokens(planned.groups + 1) > wish
        assert planned.visual_tokens == planned.groups * tokens


def test_the_smallest_limit_counts_and_is_named():
    assert budget_of(costs(), 4096).limit == "a budget of 4,096 tokens"
    assert budget_of(costs(), 10**6).tokens == 32768 - 512
    assert budget_of(costs(), 4096, 2**26).limit == "64 MiB for keys and values"
    assert budget_of(costs(), None, 2**26).tokens == 2**11 - 512
    assert budget_of(costs(context_tokens=None)).limit == "no limit"


@pytest.mark.parametrize(("wish", "memory"), [(10, None), (0, None), (None, 2**20)])
def test_room_for_no_group_is_refused(wish, memory):
    with pytest.raises(ConfigError, match="expected at least 20, one group of 1 frame with its time"):
        budget_of(costs(), wish, memory)


def test_two_hours_fit():
    planned = plan(2 * HOUR, 1.0, costs(), budget_of(costs()))
    assert planned.frames == planned.groups == (32768 - 512) // 20
    assert planned.fps == pytest.approx(planned.frames / (2 * HOUR))
    quarter = costs(tokens_per_group=1, frames_per_group=4, most_times=112)
    assert plan(2 * HOUR, 1.0, quarter, budget_of(quarter, 4096)).frames == 7200


def test_an_index_is_thinned_evenly():
    planned = thin(7200, 2 * HOUR, np.full(7200, 16), costs(), budget_of(costs(), 4096))
    assert (planned.groups, planned.of_groups, planned.frames) == (4096 // 20, 7200, 7200)
    kept = evenly(7200, planned.groups)
    gaps = {int(b - a) for a, b in itertools.pairwise(kept)}
    assert len(kept) == planned.groups
    assert gaps <= {35, 36}
    assert evenly(5, 9).tolist() == [0, 1, 2, 3, 4]


def test_a_plan_explains_itself():
    text = str(thin(7200, 2 * HOUR, np.full(7200, 16), costs(), budget_of(costs(), 4096)))
    assert text == (
        "7,200 frames, one every 1 s, 204 of 7,200 groups of 16 tokens: 3,264 visual tokens, 4,080 with times, "
        "of 4,096 (a budget of 4,096 tokens)"
    )


def test_a_model_has_a_limit_of_its_own_where_nothing_is_wished_for():
    own = budget_of(costs(), own_frames=96)
    assert thin(7200, 2 * HOUR, np.full(7200, 16), costs(), own).groups == 96
    assert own.limit == "96 frames, this model's own limit"
    assert budget_of(costs(), 8000, own_frames=96).tokens == 8000


def test_groups_of_different_sizes_are_counted_as_they_are():
    sizes = np.tile([16, 1, 1, 1], 500)
    budget = budget_of(costs(), 2000)
    planned = thin(2000, 2000.0, sizes, costs(), budget)
    kept = evenly(2000, planned.groups)
    assert planned.visual_tokens == sizes[kept].sum()
    assert planned.prompt_tokens == costs().prompt_tokens(planned.groups, planned.visual_tokens) <= 2000
    assert planned.groups > costs().most_groups(2000), "as many as if all were of the largest"
