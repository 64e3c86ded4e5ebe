"""How the benchmark of evidence marks answers."""

import numpy as np
import pytest

from benchmarks.evidence import Judged, overlap, row, worth
from longpanda.types import Answer, Evidence, Sample


def sample(*spans: tuple[float, float]) -> Sample:
    return Sample("What number is on the red circle?", "7", "needle", "film", spans)


def answer(*spans: tuple[float, float]) -> Answer:
    found = tuple(Evidence(start, end, 0.5) for start, end in spans)
    return Answer("7", (0.0,), 100.0, 4, {}, 0, "model", "film.mp4", evidence=found)


def test_overlap_is_intersection_over_union():
    assert overlap([(0.0, 10.0)], [(5.0, 15.0)]) == pytest.approx(5 / 15)
    assert overlap([(0.0, 10.0), (20.0, 30.0)], [(0.0, 10.0)]) == pytest.approx(0.5)
    assert overlap([(0.0, 10.0)], [(10.0, 20.0)]) == 0.0


def test_a_hit_is_the_heaviest_interval_alone():
    rng = np.random.default_rng(0)
    assert worth(answer((0, 10), (50, 60)), sample((55.0, 58.0)), rng)["evidence hit"] == 0.0
    found = worth(answer((50, 60), (0, 10)), sample((55.0, 58.0)), rng)
    assert found["evidence hit"] == 1.0
    assert found["chance hit"] == pytest.approx(13 / 90, abs=0.06)


def test_a_row_counts_what_was_given_for_right_wrong_and_absent_apart():
    there, absent = sample((5.0, 8.0)), sample()
    hit, miss = ({"evidence hit": value, "evidence iou": 0.5} for value in (1.0, 0.0))
    judged = [
        Judged(there, 1.0, True, hit, True),
        Judged(there, 1.0, True, miss, True),
        Judged(there, 1.0, True, None, False),
        Judged(there, 1.0, False, miss, True),
        Judged(absent, 1.0, True, None, True),
        Judged(absent, 1.0, True, None, False),
    ]
    found = row("needle", 3.0, 1.0, judged)
    counts = ("questions", "right", "given", "wrong", "given wrong", "absent", "given absent")
    assert [found[name] for name in counts] == [4, 3, 2, 1, 1, 2, 1]
    assert found["evidence hit"]["value"] == 0.5


def test_a_row_without_intervals_has_no_hits():
    assert "evidence hit" not in row("order", 30.0, 1.0, [Judged(sample((5.0, 8.0)), 1.0, True, None, False)])
