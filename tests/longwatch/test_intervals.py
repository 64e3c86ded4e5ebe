"""Intervals: overlap, tolerance and the best constant answer."""

from dataclasses import replace

import numpy as np
import pytest

from longpanda.longwatch.answers import Span, clock
from longpanda.longwatch.intervals import RIGHT_IOU, best_constant, iou, is_near
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import constant_share, with_blind_chance


def _right(answer, spans):
    return sum(iou(answer, span) >= RIGHT_IOU for span in spans)


def test_likeness_is_what_both_share_of_what_either_covers():
    assert iou((0.0, 10.0), (5.0, 15.0)) == pytest.approx(1 / 3)
    assert iou((0.0, 10.0), (10.0, 20.0)) == 0.0
    assert iou((2.0, 4.0), (2.0, 4.0)) == 1.0


@pytest.mark.parametrize(
    ("answer", "minutes", "near"),
    [
        ((55.0, 81.0), 3, True),
        ((54.9, 76.0), 3, False),
        ((60.0, 81.1), 3, False),
        ((24.0, 112.0), 120, True),  # 0.5 % of two hours are 36 s
        ((23.9, 76.0), 120, False),
    ],
)
def test_both_ends_have_to_be_near(answer, minutes, near):
    assert is_near(answer, (60.0, 76.0), 60 * minutes) is near


@pytest.mark.parametrize(
    ("text", "target", "mark"),
    [
        ("00:57 - 01:20", "01:00 - 01:16", 1.0),
        ("00:50 - 01:10", "01:00 - 01:16", 0.0),
        ("01:16 - 01:00", "01:00 - 01:16", 0.0),
        ("never", "01:00 - 01:16", 0.0),
        ("01:00 - 01:16, or never", "01:00 - 01:16", 0.0),
        ("never", "never", 1.0),
        ("01:00 - 01:16", "never", 0.0),
        ("", "01:00 - 01:16", 0.0),
    ],
)
def test_an_answer_is_near_or_not(text, target, mark):
    assert Span().mark_near(text, target, 180.0) == mark


@pytest.mark.parametrize("seed", range(20))
def test_no_interval_is_right_more_often_than_the_best_constant_one(seed):
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, 60, 12).astype(float)
    spans = [(start, start + length) for start, length in zip(starts, rng.integers(4, 12, 12), strict=True)]
    most = max(_right((a, a + length), spans) for a in np.arange(0, 70, 0.25) for length in np.arange(2, 26, 0.5))
    assert _right(best_constant(spans), spans) >= most


def test_the_best_constant_interval_is_one_that_can_be_said():
    assert best_constant([(0.0, 4.0)])[0] >= 0.0
    assert iou(best_constant([(3.0, 4.5)]), (3.0, 4.5)) >= RIGHT_IOU


def _asked(starts):
    """Return a question per start, each of its own script, and one about something absent."""
    plan = SuitePlan(minutes=(3.0,), families=("grounding",), per_cell=len(starts) + 1, split="dev")
    sample = next(sample for sample in plan.samples() if sample.target != "never")
    targets = [*(f"{clock(start)} - {clock(start + 16)}" for start in starts), "never"]
    return [
        replace(sample, target=target, facts=replace(sample.facts, cluster=f"gallery-{i}"))
        for i, target in enumerate(targets)
    ]


def test_the_best_constant_answer_about_times_is_an_interval_where_that_is_right_more_often_than_any_words():
    assert constant_share(_asked([40, 44, 48, 90, 140])) == 3 / 6
    assert constant_share(_asked([0, 60, 120])) == 1 / 4


def test_blind_intervals_are_found_on_other_scripts():
    asked = _asked([40, 44, 48, 90, 140])
    blind = with_blind_chance(asked)
    assert [sample.facts.chance for sample in blind] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert [replace(b, facts=s.facts) for b, s in zip(blind, asked, strict=True)] == asked
    alone = [replace(sample, facts=replace(sample.facts, cluster="one")) for sample in asked]
    assert with_blind_chance(alone) == alone
    optional = [replace(sample, choices=("a", "b")) for sample in asked]
    assert with_blind_chance(optional) == optional
    counts = list(SuitePlan(minutes=(3.0,), families=("count",), per_cell=3, split="dev").samples())
    assert with_blind_chance(counts) == counts
    foreign = [replace(sample, family="of another benchmark") for sample in asked]
    assert with_blind_chance(foreign) == foreign
