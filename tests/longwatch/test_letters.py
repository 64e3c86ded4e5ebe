"""The letter that an answer chooses."""

import pytest

from longpanda.longwatch.letters import Letter

OPTIONS = ("47", "12", "red circle", "never")


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        " B\n",
        "(B)",
        "(b)",
        "B.",
        "b)",
        "[B]",
        "**B**",
        "$\\boxed{B}$",
        "Answer: B",
        "answer: b",
        "The answer is B.",
        "The correct option is (B)",
        "B. 12",
        "b. 12",
        "B: 12",
        "B 12",
        "Option B",
        "I think it is B.",
        "B. 47",
        "A red circle was there, so B.",
        "It has 12, so the answer is B",
        "12",
        "12.",
        " twelve... B",
    ],
)
def test_b_is_read(text):
    assert Letter(OPTIONS).read(text) == "B"
    assert Letter(OPTIONS).mark(text, "B").value == 1
    assert Letter(OPTIONS).mark(text, "A").value == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A or B",
        "A, B",
        "B, not A",
        "AB",
        "E",
        "Between",
        "A number of cards",
        "I do not know",
        "47 or 12",
        "the number is 12 there",
    ],
)
def test_no_letter_or_several_are_wrong_whatever_is_true(text):
    assert Letter(OPTIONS).read(text) == ""
    assert not any(Letter(OPTIONS).mark(text, letter).value for letter in "ABCD")


@pytest.mark.parametrize(
    ("text", "letter"), [("A", "A"), ("A is right", "A"), ("Never.", "D"), ("the Red Circle", "C")]
)
def test_a_is_no_article_alone_and_words_of_one_option_are_enough(text, letter):
    assert Letter(OPTIONS).read(text) == letter


def test_never_is_an_option_like_any_other():
    assert Letter(OPTIONS).mark("D. never", "D").value == 1
    assert Letter(OPTIONS).mark("never", "B").value == 0


def test_an_option_may_hold_a_capital_of_its_own():
    assert Letter(("GATE A", "GATE B")).read("B. GATE B") == "B"
    assert Letter(("GATE A", "GATE B")).read("GATE A") == "A"


def test_words_that_two_options_share_choose_neither():
    assert Letter(("the ball", "ball", "key")).read("ball") == ""
