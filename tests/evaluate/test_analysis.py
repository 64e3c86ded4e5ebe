import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate.analysis import (
    by_depth,
    cells,
    compare,
    coverage,
    covered,
    effective_minutes,
    refusal,
)
from longpanda.types import Reply, Sample, Score


def _score(value, video="v", question="q", family="needle", minutes=3.0, text="1", frames=(), spans=(), **metadata):
    sample = Sample(question, "1", family, video, spans, {"minutes": minutes, **metadata})
    return Score(value, Reply(text, frames), sample)


def _row(*values):
    """Ten questions at each length, with these numbers of right answers."""
    lengths = (3.0, 10.0, 30.0, 60.0)
    return [
        _score(float(i < right), f"v{minutes}", str(i), minutes=minutes)
        for minutes, right in zip(lengths, values, strict=False)
        for i in range(10)
    ]


def test_cells_are_by_family_and_length():
    table = cells([*_row(10, 5), _score(1.0, family="count")])
    assert {name: one.value for name, one in table.items()} == {
        ("needle", 3.0): 1.0,
        ("needle", 10.0): 0.5,
        ("count", 3.0): 1.0,
    }


@pytest.mark.parametrize(
    ("values", "relative", "absolute"),
    [((10, 9, 9, 9), 60, 60), ((10, 9, 8, 9), 10, 60), ((7, 6, 6, 5), 30, 30), ((5, 5, 5, 5), 60, 0), ((0, 0), 0, 0)],
)
def test_effective_length_stops_at_the_first_length_below_the_bar(values, relative, absolute):
    table = cells(_row(*values))
    assert effective_minutes(table, "needle") == relative
    assert effective_minutes(table, "needle", bar=0.6) == absolute


def test_a_guesser_has_no_effective_length():
    table = cells(_row(5, 5, 5, 5))
    assert effective_minutes(table, "needle", chance=0.5) == 0
    assert (
        effective_minutes(cells(_row(10, 9, 9, 9)), "needle", chance=0.5) == 3
    )  # 0.9 is 80 % of the way from 0.5 to 1


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
    assert coverage([_score(1.0, frames=(1.5, 5.0), spans=spans), _score(1.0, frames=(0.0,), spans=spans)]) == 0.5
    assert coverage([_score(1.0)]) is None


def test_refusals_and_false_alarms_are_apart():
    scores = [_score(1.0, absent=True), _score(0.0, absent=True), _score(0.0, text="Never."), _score(1.0), _score(0.0)]
    assert refusal(scores) == (0.5, pytest.approx(1 / 3))
    with pytest.raises(ConfigError, match="0 questions about what is absent"):
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
