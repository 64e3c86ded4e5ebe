from collections import Counter

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate.analysis import (
    above_chance,
    averages,
    by_depth,
    by_minutes,
    chance,
    coverage,
    covered,
    effective_minutes,
    grouped,
    refusal,
)
from longpanda.evaluate.metrics import accuracy
from longpanda.evaluate.paired import compare
from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.textonly import label
from longpanda.types import Facts, Reply, Sample, Score


def _score(value, video="v", question="q", family="needle", minutes=3.0, text="1", frames=(), spans=(), **facts):
    sample = Sample(question, "1", family, video, spans, Facts(minutes=minutes, **facts))
    return Score(value, Reply(text, frames), sample)


def _row(*values):
    """Ten questions at each length, with these numbers of right answers."""
    lengths = (3.0, 10.0, 30.0, 60.0)
    return [
        _score(float(i < right), f"v{minutes}", str(i), minutes=minutes)
        for minutes, right in zip(lengths, values, strict=False)
        for i in range(10)
    ]


def test_chance_is_the_best_constant_answer_to_each_template():
    absent = [_score(0.0, chance=0.01, absent=True, template="card") for _ in range(3)]
    shown = [_score(0.0, chance=0.01, template="card") for _ in range(17)]
    assert chance([*absent, *shown]) == pytest.approx(3 / 20), "'never' to all"
    assert chance(shown) == pytest.approx(0.01)
    places = [_score(0.0, chance=0.5, template="place") for _ in range(20)]
    assert chance([*absent, *shown, *places]) == pytest.approx((3 + 10) / 40)
    unknown = [_score(0.0, template="other", chance=None), _score(0.0, template="other", chance=0.1)]
    assert chance(unknown) == 1.0, "the most frequent answer, where a sample tells no chance"
    with pytest.raises(ConfigError, match="no scores"):
        chance([])


def test_chance_by_construction_is_what_drawn_questions_give():
    """The templates' own chances and the share of absent things, held against the answers of one large drawing.

    The most frequent answer is at least as frequent as all are on average, and less than four standard errors more.
    """
    plan = SuitePlan(minutes=(3.0,), per_cell=600, split="dev")
    scores = [Score(0.0, Reply(""), sample) for sample in plan.samples()]
    groups = grouped(scores, lambda score: (score.sample.family, score.sample.facts.template))
    assert {family for family, _ in groups} == set(FAMILIES)
    for template, group in groups.items():
        labels = Counter(label(score.sample.question, score.sample.target) for score in group)
        guess, best = chance(group), max(labels.values()) / len(group)
        assert -1e-9 < best - guess < 4 * (guess * (1 - guess) / len(group)) ** 0.5, template


def test_above_chance_guessing_is_0_and_all_right_is_1():
    guess, perfect = accuracy(_row(5)), accuracy([_score(1.0)] * 10)
    assert above_chance(guess, 0.5).value == 0
    assert above_chance(perfect, 0.5).interval == (pytest.approx(2 * perfect.interval[0] - 1), 1.0)
    assert above_chance(guess, 0.75).value == -1
    assert above_chance(guess, 1.0) is None


def test_averages_weigh_lengths_as_ruler_does():
    found = averages(by_minutes(_row(10, 8, 5, 1)))
    assert found.mean.value == pytest.approx(0.6)
    assert found.increasing.value == pytest.approx((1 * 1 + 2 * 0.8 + 3 * 0.5 + 4 * 0.1) / 10)
    assert found.decreasing.value == pytest.approx((4 * 1 + 3 * 0.8 + 2 * 0.5 + 1 * 0.1) / 10)
    curve = np.trapezoid([1, 0.8, 0.5, 0.1], np.log([3, 10, 30, 60])) / np.log(20)
    assert found.area.value == pytest.approx(curve)
    assert averages(by_minutes(_row(7))).area.value == 0.7
    with pytest.raises(ConfigError, match="no scores"):
        averages({})


def _accuracies(scores):
    return {minutes: accuracy(group) for minutes, group in by_minutes(scores).items()}


@pytest.mark.parametrize(
    ("values", "relative", "absolute"),
    [((10, 9, 9, 9), 60, 60), ((10, 9, 8, 9), 10, 60), ((7, 6, 6, 5), 30, 30), ((5, 5, 5, 5), 60, 0), ((0, 0), 0, 0)],
)
def test_effective_length_stops_at_the_first_length_below_the_bar(values, relative, absolute):
    row = _accuracies(_row(*values))
    assert effective_minutes(row) == relative
    assert effective_minutes(row, bar=0.6) == absolute


def test_a_guesser_has_no_effective_length():
    assert effective_minutes(_accuracies(_row(5, 5, 5, 5)), guess=0.5) == 0
    # 0.9 is 80 % of the way from 0.5 to 1
    assert effective_minutes(_accuracies(_row(10, 9, 9, 9)), guess=0.5) == 3


def test_depth_is_binned_by_the_first_evidence():
    scores = [_score(float(depth < 0.5), depth=depth) for depth in (0.0, 0.19, 0.2, 0.99, 1.0)]
    scores += [_score(1.0, depth=None), _score(1.0, family="count", depth=0.5)]
    table = by_depth(scores)
    assert {name: one.questions for name, one in table.items()} == {(3.0, 0.0): 2, (3.0, 0.2): 1, (3.0, 0.8): 2}
    assert table[3.0, 0.8].value == 0.0


def test_coverage_asks_for_a_frame_in_every_interval():
    spans = ((1.0, 2.0), (5.0, 6.0))
    assert covered(_score(1.0, frames=(1.5, 5.0), spans=spans)) is True
    assert covered(_score(1.0, frames=(1.5, 6.0), spans=spans)) is False
    assert covered(_score(1.0, frames=(1.5,))) is None
    assert covered(_score(1.0, spans=spans)) is None
    both = coverage([_score(1.0, frames=(1.5, 5.0), spans=spans), _score(1.0, frames=(0.0,), spans=spans)])
    assert both is not None
    assert both.value == 0.5
    assert coverage([_score(1.0)]) is None


def test_refusals_and_false_alarms_are_apart():
    scores = [_score(1.0, absent=True), _score(0.0, absent=True), _score(0.0, text="Never."), _score(1.0), _score(0.0)]
    refused, alarms = refusal(scores)
    assert (refused.value, refused.questions) == (0.5, 2)
    assert (alarms.value, alarms.questions) == (pytest.approx(1 / 3), 3)
    with pytest.raises(ConfigError, match="0 questions about absent things"):
        refusal(scores[2:])


def test_a_paired_comparison_is_of_common_questions_and_clusters_by_video():
    rng = np.random.default_rng(1)
    first = [_score(float(rng.random() < 0.5), f"v{i // 5}", str(i)) for i in range(500)]
    second = [
        _score(max(score.value, float(rng.random() < 0.2)), score.sample.video, score.sample.question)
        for score in first
    ]
    found = compare(first[:400], second)
    assert (found.questions, found.videos) == (400, 80)
    assert found.difference == pytest.approx(
        np.mean([score.value for score in second[:400]]) - np.mean([score.value for score in first[:400]])
    )
    assert 0 < found.interval[0] < found.difference < found.interval[1] < 0.2
    whole_videos = [_score(float(i < 500), f"v{i // 5}", str(i)) for i in range(1000)]
    none = [_score(0.0, f"v{i // 5}", str(i)) for i in range(1000)]
    alone = [_score(float(i < 500), f"w{i}", str(i)) for i in range(1000)]
    none_alone = [_score(0.0, f"w{i}", str(i)) for i in range(1000)]
    wide, narrow = compare(none, whole_videos).interval, compare(none_alone, alone).interval
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) == pytest.approx(5**0.5, rel=0.1)
    with pytest.raises(ConfigError, match="without a common question"):
        compare(first, alone)


def test_one_video_tells_nothing_of_others():
    found = compare([_score(0.0, question=str(i)) for i in range(9)], [_score(1.0, question=str(i)) for i in range(9)])
    assert (found.difference, found.interval, found.gained, found.lost) == (1.0, (-1.0, 1.0), 9, 0)
