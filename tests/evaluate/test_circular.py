"""Rotations made one question: plain, circular, letters."""

import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate.circular import by_question, cells_of, judged, letter_use
from longpanda.evaluate.metrics import accuracy
from longpanda.evaluate.paired import pair
from longpanda.evaluate.report import Report, markdown, page
from longpanda.evaluate.summarise import summarise
from longpanda.types import Facts, Reply, Sample, Score

OPTIONS = ("7", "8", "9", "never")


def _askings(number, chosen, family="needle", minutes=3.0):
    """Four rotations of one question, whose answer is 8, with what was chosen in each."""
    scores = []
    for by, letter in enumerate(chosen):
        choices = (*OPTIONS[by:], *OPTIONS[:by])
        target = "ABCD"[choices.index("8")]
        facts, about = Facts(minutes=minutes, chance=1 / 3, depth=0.5), (choices, by, f"q{number}")
        sample = Sample(f"q{number} {choices}", target, family, f"v{number // 2}", (), facts, *about)
        scores.append(Score(float(letter == target), Reply(f"{letter}. said"), sample, chosen=letter))
    return scores


RIGHT = "BADC"


def _report(scores, askings=()):
    return Report((summarise("m", {}, scores, {}, askings=askings),))


def test_plain_is_the_mean_and_circular_all_or_nothing():
    rotated = by_question([*_askings(0, RIGHT), *_askings(1, "BADD"), *_askings(2, "AAAA")])
    assert [score.value for score in rotated.plain] == [1.0, 0.75, 0.25]
    assert [score.value for score in rotated.circular] == [1.0, 0.0, 0.0]
    assert rotated.unfinished == 0


@pytest.mark.parametrize("letter", "ABCD")
def test_a_constant_letter_gets_one_in_four_and_nothing_in_all_rotations(letter):
    rotated = by_question([one for number in range(9) for one in _askings(number, letter * 4)])
    assert {score.value for score in rotated.plain} == {0.25}
    assert accuracy(rotated.circular).value == 0


def test_one_question_counts_once_for_the_interval_however_many_rotations():
    scores = [one for number in range(40) for one in _askings(number, "AAAA")]
    plain = accuracy(by_question(scores).plain)
    assert plain.questions == 40
    assert plain.interval[1] - plain.interval[0] > 1.5 * (accuracy(scores).interval[1] - accuracy(scores).interval[0])


def test_the_score_of_a_question_shows_it_in_the_open_and_the_first_wrong_answer():
    (score,) = judged(_askings(0, "BAAA"))
    assert (score.sample.question, score.sample.target, score.reply.text) == ("q0", "8", "A. said")
    assert judged([Score(1.0, Reply("x"), Sample("q", "x", "f"))])[0].sample.question == "q"


def test_an_error_in_one_rotation_is_an_error():
    *first, last = _askings(0, RIGHT)
    failed = Score(0.0, Reply(""), last.sample, "down", error_kind="busy")
    (score,) = by_question([*first, failed]).circular
    assert (score.value, score.error, score.error_kind) == (0.0, "down", "busy")


def test_questions_without_all_rotations_are_counted_and_left_out():
    rotated = by_question([*_askings(0, RIGHT), *_askings(1, RIGHT)[:3]])
    assert (len(rotated.plain), len(rotated.circular), rotated.unfinished) == (1, 1, 1)
    askings = [*_askings(0, RIGHT), *_askings(1, RIGHT)[:3]]
    assert "Not asked yet: 1 question of the suite." in markdown(_report(judged(askings), askings))
    with pytest.raises(ConfigError, match="all its rotations"):
        judged(_askings(1, RIGHT)[:3])


def test_answers_to_open_questions_are_refused():
    with pytest.raises(ConfigError, match="without options"):
        by_question([Score(1.0, Reply("x"), Sample("q", "x", "f"))])


def test_cells_are_by_family_and_length():
    scores = [
        *_askings(0, RIGHT),
        *_askings(2, "AAAA"),
        *_askings(4, RIGHT, "chain"),
        *_askings(6, RIGHT, minutes=10.0),
    ]
    found = {
        (cell.family, cell.minutes): (cell.plain.value, cell.circular.value) for cell in cells_of(by_question(scores))
    }
    assert found == {("needle", 3.0): (0.625, 0.5), ("chain", 3.0): (1.0, 1.0), ("needle", 10.0): (1.0, 1.0)}


def test_letters_are_counted_against_how_often_they_are_right():
    used = {
        one.letter: (one.chosen, one.right)
        for one in letter_use([*_askings(0, "AAAA"), *_askings(1, ["A", "B", "", ""])])
    }
    assert used == {"A": (0.625, 0.25), "B": (0.125, 0.25), "C": (0.0, 0.25), "D": (0.0, 0.25), "none": (0.25, 0.0)}


def test_the_report_shows_both_and_the_letters_and_nothing_without_options():
    askings = [*_askings(0, RIGHT), *_askings(1, "AAAA")]
    text = markdown(_report(judged(askings), askings))
    assert "| needle | 3 min | 4 | 62.5% [" in text
    assert "| A | 62.5% | 25.0% |" in text
    assert "in every rotation" in page(_report(judged(askings), askings))
    assert "in every rotation" not in page(_report(judged(askings)))


def test_two_systems_are_compared_on_all_questions_whichever_rotation_each_missed():
    always = [one for number in range(6) for one in _askings(number, RIGHT)]
    missed = {1: "BABC", 3: "CADC", 5: "BACC"}
    at_times = [one for number in range(6) for one in _askings(number, missed.get(number, RIGHT))]
    everything = pair(judged(always), judged(at_times))[0].found
    assert (everything.questions, everything.difference) == (6, -0.5)
    assert {score.sample.rotation for score in judged(at_times)} == {None}
