"""Sampling strategies: which records they select."""

import pytest

from longpanda.data.selection import selected
from longpanda.errors import ConfigError


@pytest.mark.parametrize(
    ("strategy", "count", "expected"),
    [
        ("all", 5, range(5)),
        ("first:3", 10, range(3)),
        ("first:30", 10, range(10)),
        ("first:25%", 1, range(1)),
        ("first:25%", 98675, range(24669)),
        ("first:10%", 30, range(3)),
        ("first2:3", 10, range(3, 6)),
        ("first3:4", 10, range(8, 10)),
        ("first4:4", 10, range(10, 10)),
        ("end:3", 10, range(7, 10)),
        ("end:30", 10, range(10)),
        ("end:25%", 10, range(7, 10)),
    ],
)
def test_a_strategy_selects_a_block(strategy, count, expected):
    assert selected(strategy, count) == expected


@pytest.mark.parametrize(
    "strategy", ["random:5", "random", "first", "first:", "first:-3", "end2:5", "first1:5", "all:5"]
)
def test_other_strategies_are_refused(strategy):
    with pytest.raises(ConfigError, match=f"sampling_strategy '{strategy}'; expected all, first:N"):
        selected(strategy, 10)
