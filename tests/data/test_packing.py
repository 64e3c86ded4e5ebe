"""Packs: everything once, nothing too long, little room left, the same at any place from any state."""

import numpy as np
import pytest

from benchmarks.packing import BUDGETS, Sizes, efficiency, stage_lengths
from longpanda.data.order import MixtureOrder
from longpanda.data.packing import PackOrder, PackState, best_fit, level
from longpanda.errors import ConfigError

BUDGET, WINDOW = 600, 64


def lengths(*counts, most=BUDGET, seed=0):
    rng = np.random.default_rng(seed)
    return Sizes(tuple(np.minimum(rng.lognormal(4, 1, count).astype(np.int64) + 1, most) for count in counts))


def pack_order(budget=BUDGET, start=None, sizes=None, seed=5, window=WINDOW):
    sizes = sizes or lengths(150, 90)
    order = MixtureOrder(tuple(map(len, sizes.tables)), (1.0,) * len(sizes.tables), seed)
    return PackOrder(order, sizes, budget, window, start or PackState())


def tokens_of(packs, pack):
    return packs.lengths.tokens(*packs.order.locate(pack))


@pytest.mark.parametrize("budget", [1, 7, 100, 1000])
def test_best_fit_packs_everything_once_within_the_budget(budget):
    sizes = np.random.default_rng(budget).integers(0, budget + 1, 200)
    packs = best_fit(sizes, budget)
    assert sorted(item for pack in packs for item in pack) == np.flatnonzero(sizes).tolist()
    assert all(sizes[pack].sum() <= budget for pack in packs)
    assert len(packs) <= sizes.sum() * 11 / 9 / budget + 4, "Johnson's bound of 11/9 of the best there is"


def test_best_fit_takes_the_pack_with_the_least_room():
    assert best_fit(np.array([6, 5, 4, 3, 0, 2]), 10) == [[0, 2], [1, 3, 5]]
    assert best_fit(np.zeros(3, np.int64), 10) == []


@pytest.mark.parametrize("most", [1, 7, 40, 60, 100])
def test_level_packs_are_no_more_and_hold_everything_once(most):
    sizes = np.random.default_rng(most).integers(0, most + 1, 300)
    packs = level(sizes, 100)
    assert sorted(item for pack in packs for item in pack) == np.flatnonzero(sizes).tolist()
    assert all(sizes[pack].sum() <= 100 for pack in packs)
    assert len(packs) <= len(best_fit(sizes, 100))
    assert level(np.zeros(3, np.int64), 10) == []


def test_level_packs_have_records_of_all_lengths():
    sizes = np.repeat([5, 10, 20], 60)
    for packs, is_mixed in ((level(sizes, 100), True), (best_fit(sizes, 100), False)):
        kinds = [len(set(sizes[pack])) for pack in packs]
        assert (min(kinds) == 3) is is_mixed


def test_an_epoch_shorter_than_a_window_is_packed_by_itself():
    packs = pack_order(window=4096)
    index, seen = 0, []
    while packs.state(index).window < 1:
        seen += packs.pack(index).tolist()
        index += 1
    assert sorted(seen) == list(range(240))


def test_every_place_is_in_one_pack():
    packs = pack_order()
    last = packs.state(0)
    seen, index = [], 0
    while last.window < 4:
        seen += packs.pack(index).tolist()
        index += 1
        last = packs.state(index)
    assert sorted(seen) == list(range(4 * WINDOW))
    assert all(tokens_of(packs, packs.pack(number)).sum() <= BUDGET for number in range(index))


def test_records_that_cannot_be_used_are_in_no_pack():
    sizes = lengths(100, 60)
    sizes.tables[0][::3] = 0
    packs = pack_order(sizes=sizes)
    for index in range(30):
        assert (tokens_of(packs, packs.pack(index)) > 0).all()


@pytest.mark.parametrize("budget", [0, BUDGET])
def test_any_pack_is_found_from_any_state(budget):
    whole = pack_order(budget)
    packs = [whole.pack(index).tolist() for index in range(200)]
    assert [pack_order(budget).pack(index).tolist() for index in (150, 3, 199, 0)] == [
        packs[index] for index in (150, 3, 199, 0)
    ]
    for index in (0, 1, 77, 130, 199):
        state = whole.state(index)
        assert state.first_pack <= index
        later = pack_order(budget, start=state)
        assert [later.pack(number).tolist() for number in range(index, 200)] == packs[index:]
        assert later.pack(0).tolist() == packs[0], "packs before the state are found too"
    if not budget:
        assert {len(pack) for pack in packs} == {1}


def test_windows_without_any_usable_record_are_passed():
    sizes = Sizes((np.array([0] * 400 + [5]),))
    packs = pack_order(sizes=sizes, window=16)
    places = np.concatenate([packs.pack(index) for index in range(3)])
    assert packs.order.locate(places)[1].tolist() == [400] * 3
    assert (places // 401).tolist() == [0, 1, 2], "one in each epoch"


def test_packs_are_not_sorted_by_length():
    packs = pack_order(window=240)
    sizes = [tokens_of(packs, packs.pack(index)).max() for index in range(20)]
    assert sizes != sorted(sizes, reverse=True), "as they are made"
    other = pack_order(window=240, seed=6)
    assert packs.pack(0).tolist() != other.pack(0).tolist()


@pytest.mark.parametrize("budget", BUDGETS)
def test_packs_of_the_mixture_are_full(budget):
    assert efficiency(stage_lengths("stage3", budget, share=0.01), budget, windows=2) >= 0.98


def test_what_cannot_be_packed_is_refused():
    with pytest.raises(ConfigError, match="a record of 11 tokens; expected at most 10"):
        best_fit(np.array([3, 11]), 10)
    with pytest.raises(ConfigError, match="no record that can be used"):
        pack_order(sizes=Sizes((np.zeros(5, np.int64),)))
    with pytest.raises(ConfigError, match="-1 token"):
        pack_order(budget=-1)
    with pytest.raises(ConfigError, match="windows of 0 places"):
        pack_order(window=0)
    with pytest.raises(IndexError):
        pack_order().pack(-1)
