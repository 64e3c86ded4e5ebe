"""What a page of results says, as numbers."""

from dataclasses import replace

import pytest
from results import MEASURES, results, score

from longpanda.errors import ConfigError, ErrorKind, VideoError
from longpanda.evaluate.analysis import EVERYTHING
from longpanda.evaluate.metrics import accuracy
from longpanda.evaluate.paired import BOTH_ANSWERED, pair
from longpanda.evaluate.summarise import summarise
from longpanda.types import Reply


def _summary(scores, **options):
    return summarise("m", {}, scores, MEASURES, **options)


def test_cells_are_by_family_and_length_and_all_of_them_together():
    found = _summary(results((16, 8)))
    assert found.minutes == (3.0, 120.0)
    assert [one.name for one in found.families] == ["needle", "count"]
    needle = found.families[0]
    assert [cell.value for cell in needle.cells] == [0.8, 0.4]
    assert needle.cells[0] == accuracy([s for s in results() if s.sample.family == "needle"][:20])
    assert needle.chance == pytest.approx(max(3, 17 * 0.1) / 20)
    assert needle.above[0].value == pytest.approx((0.8 - 0.15) / 0.85)
    assert needle.averages.mean.value == pytest.approx(0.6)
    assert needle.effective_minutes == 3
    assert found.overall.name == EVERYTHING
    assert [cell.questions for cell in found.overall.cells] == [40, 40]


def test_a_family_that_was_not_asked_at_a_length_has_no_cell_there():
    scores = [one for one in results() if one.sample.family == "needle" or one.sample.minutes == 3]
    count = _summary(scores).families[1]
    assert count.cells[1] is None
    assert count.above[1] is None
    assert count.averages.area.value == count.averages.mean.value == 0.8


def test_partial_marks_are_told_where_they_say_more_than_exact_ones():
    needle, count = _summary(results((16, 8))).families
    (name, mean), (near, share) = needle.partial
    assert (name, near) == ("mean relative accuracy", "near")
    assert mean.value == pytest.approx((24 + 16 * 0.25) / 40)
    assert share.value == pytest.approx(24 / 40)
    assert count.partial == ()


def test_costs_are_means_of_what_is_told_and_the_largest_memory():
    scores = [score(1.0, 0), score(1.0, 1, told=False), score(0.0, 2)]
    assert _summary(scores).lengths[0].costs == (2, 24, None, None, 0.5, 2**30)
    assert _summary([score(1.0, told=False)]).lengths[0].costs == (None,) * 6


def test_tokens_are_costs_and_errors_cost_nothing():
    whole, cut = (replace(score(1.0, i), reply=Reply("7", prompt_tokens=90 + i, answer_tokens=4)) for i in range(2))
    cut = replace(cut, value=0.0, error="cut", error_kind=ErrorKind.CUT)
    assert _summary([whole, cut]).lengths[0].costs == (None, None, 90, 4, None, None)
    assert _summary([cut]).lengths[0].costs == (None,) * 6


def test_accuracy_is_told_with_errors_and_without():
    right, wrong, failed = score(1.0, 0), score(0.0, 1), score(0.0, 2, error="down")
    needle = _summary([right, wrong, failed]).families[0]
    assert needle.exact == accuracy([right, wrong, failed])
    assert needle.answered == accuracy([right, wrong])
    assert _summary([failed]).families[0].answered is None


def test_an_error_is_no_false_alarm_whatever_it_says():
    absent, present = score(1.0, 0, absent=True, text="never"), score(0.0, 1, text="never", error="cut")
    refused, alarms = _summary([absent, present]).families[0].refusals
    assert (refused.value, alarms.value) == (1.0, 0.0)
    wrong = replace(present, error=None)
    assert _summary([absent, wrong]).families[0].refusals[1].value == 1.0


def test_what_the_sampler_saw_is_apart_from_what_was_right():
    unseen = score(0.0, 2)
    unseen = type(unseen)(0.0, type(unseen.reply)("7", (1.0,)), unseen.sample)
    length = _summary([score(1.0, 0), score(0.0, 1), unseen, score(1.0, 4, told=False)]).lengths[0]
    assert length.covered.value == pytest.approx(2 / 3)
    assert length.right_covered.value == 0.5
    assert length.right_uncovered.value == 0.0


def test_failures_are_of_every_family_and_length_in_turn_with_a_picture_of_the_evidence():
    found = _summary(results((0, 0)), picture=lambda video, second: f"{video} {second}".encode())
    where = [(one.score.sample.family, one.score.sample.minutes) for one in found.failures[:4]]
    assert where == [("needle", 3), ("count", 3), ("needle", 120), ("count", 120)]
    assert found.failures[0].picture == b"v0-3 65.0"
    assert len(found.failures) == 12


def test_a_picture_that_cannot_be_had_is_said():
    def lost(_video, _second):
        raise VideoError("no film", "one", "make it")

    failure = _summary(results((0, 0)), picture=lost).failures[0]
    assert failure.picture is None
    assert "no film" in failure.problem


def test_errors_are_counted_by_kind_and_message():
    scores = [score(0.0, i, error=("down" if i else "slow")) for i in range(3)]
    scores[0] = replace(scores[0], error_kind=ErrorKind.TIMEOUT)
    assert _summary(scores).errors == (("other", "down", 2), ("timeout", "slow", 1))


def test_a_comparison_without_errors_stands_beside_the_one_with_them():
    first, second = results((8, 8)), results((16, 8))
    assert BOTH_ANSWERED not in [row.name for row in pair(first, second)]
    second[0] = replace(second[0], value=0.0, error="down")
    row = pair(first, second)[-1]
    assert (row.name, row.found.questions) == (BOTH_ANSWERED, 79)
    assert row.found.lost == 0
    assert pair(first, second)[0].found.lost == 1, "an error counts as wrong"
    down = [replace(one, value=0.0, error="down") for one in second]
    assert BOTH_ANSWERED not in [row.name for row in pair(first, down)], "none is left"


def test_a_comparison_is_overall_by_family_and_by_length_of_common_questions_only():
    rows = pair(results((8, 8)), results((16, 8))[:-20])
    assert [row.name for row in rows] == [EVERYTHING, "needle", "count", "3 min", "120 min"]
    assert [row.found.questions for row in rows] == [60, 40, 20, 40, 20]
    assert rows[3].found.difference == pytest.approx(0.4)
    assert (rows[3].found.gained, rows[3].found.lost) == (16, 0)
    assert rows[4].found.difference == 0


def test_nothing_is_refused():
    with pytest.raises(ConfigError, match="no scores"):
        _summary([])
    with pytest.raises(ConfigError, match="without a common question"):
        pair([score(1.0, 0)], [score(1.0, 1)])
