import pytest

from longpanda.longwatch.answers import Choice, Slots, Span, Spelled, TitleList, Whole, clock, edits, seconds_in

COLOURS = ("red", "green", "red circle")
NUMBER, COLOUR, LIST, SPAN = Whole(), Choice(COLOURS), TitleList(("a cat", "dog", "hen", "ox")), Span()


@pytest.mark.parametrize(
    ("kind", "text", "target", "value", "partial"),
    [
        (NUMBER, "47", "47", 1, 1),
        (NUMBER, " The number is 4 7.\n", "47", 1, 1),
        (NUMBER, "Three", "3", 1, 1),
        (NUMBER, "147", "47", 0, 0),
        (NUMBER, "The one on the red circle is 47", "47", 1, 1),
        (NUMBER, "forty-seven", "47", 1, 1),
        (NUMBER, "Forty", "40", 1, 1),
        (NUMBER, "twelve", "12", 1, 1),
        (NUMBER, "3.0", "3", 1, 1),
        (NUMBER, "4.7", "47", 0, 0),
        (NUMBER, "-47", "47", 0, 0),
        (NUMBER, "between 4-7", "47", 0, 0),
        (NUMBER, "1,2,3", "123", 0, 0),
        (NUMBER, "9" * 5000, "47", 0, 0),
        (NUMBER, "7 " * 5000, "47", 0, 0),
        (NUMBER, "4 or 5", "4", 0, 0),
        (NUMBER, "no idea", "4", 0, 0),
        (NUMBER, "", "4", 0, 0),
        (NUMBER, "9", "10", 0, 0.9),
        (NUMBER, "1", "0", 0, 0),
        (NUMBER, "never", "4", 0, 0),
        (NUMBER, "4", "never", 0, 0),
        (NUMBER, "It was never shown.", "never", 1, 1),
        (NUMBER, "", "never", 0, 0),
        (COLOUR, "The Red Circle.", "red circle", 1, 1),
        (COLOUR, "red", "red circle", 0, 0),
        (COLOUR, "red, red!", "red", 1, 1),
        (COLOUR, "red or green", "red", 0, 0),
        (COLOUR, "redder", "red", 0, 0),
        (LIST, "the dog, a cat, then the hen", "dog, a cat, hen", 1, 1),
        (LIST, "hen, a cat, dog", "dog, a cat, hen", 0, 0),
        (LIST, "dog, hen, a cat", "dog, a cat, hen", 0, 1 / 3),
        (LIST, "dog, a cat", "dog, a cat, hen", 0, 0),
        (LIST, "dog, a cat, hen, ox", "dog, a cat, hen", 0, 0),
        (LIST, "dog, dog, hen", "dog, a cat, hen", 0, 0),
        (SPAN, "01:00 - 01:10", "01:00 - 01:10", 1, 1),
        (SPAN, "from 1:00 to 1:20", "01:00 - 01:10", 1, 0.5),
        (SPAN, "00:55 - 01:05", "01:00 - 01:10", 0, 1 / 3),
        (SPAN, "1:01:00 - 1:01:10", "61:00 - 61:10", 1, 1),
        (SPAN, "01:10 - 01:00", "01:00 - 01:10", 0, 0),
        (SPAN, "01:05", "01:00 - 01:10", 0, 0),
        (SPAN, "never", "01:00 - 01:10", 0, 0),
    ],
)
def test_what_an_answer_earns(kind, text, target, value, partial):
    mark = kind.mark(text, target)
    assert mark.value == value
    assert mark.partial == pytest.approx(partial)


def test_times_are_read_and_written():
    assert seconds_in("at 1:02:03.5, then 00:07; not 7") == [3723.5, 7.0]
    assert clock(3599.6) == "60:00"
    assert seconds_in(clock(4321.0)) == [4321.0]
    assert clock(11.46, tenths=True) == "00:11.5"
    assert seconds_in("9" * 5000 + ":00") == []


def test_edits_are_counted():
    texts = {"panda": 0, "pnada": 2, "": 5, "pandas": 1}
    assert {text: edits(text, "panda") for text in texts} == texts


@pytest.mark.parametrize(
    ("text", "value", "partial"),
    [
        ("panda", 1.0, 1.0),
        ("The word was PANDA.", 1.0, 1.0),
        ("pando", 0.0, 0.8),
        ("tiger", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("never", 0.0, 0.0),
    ],
)
def test_a_word_is_marked_by_its_letters(text, value, partial):
    mark = Spelled(("panda", "tiger")).mark(text, "panda")
    assert (mark.value, mark.partial) == (value, pytest.approx(partial))


def test_two_words_are_no_answer():
    assert Spelled(("panda", "tiger")).mark("panda or tiger", "panda").value == 0.0


@pytest.mark.parametrize(
    ("text", "value", "partial"),
    [
        ("red, blue, red", 1.0, 1.0),
        ("First red, then blue, last red.", 1.0, 1.0),
        ("red, blue, blue", 0.0, 2 / 3),
        ("red", 0.0, 0.5),
        ("blue, red, blue", 0.0, 0.0),
        ("red, blue, red, blue", 0.0, 6 / 7),
        ("never", 0.0, 0.0),
    ],
)
def test_slots_are_marked_by_place(text, value, partial):
    mark = Slots(("red", "blue")).mark(text, "red, blue, red")
    assert (mark.value, mark.partial) == (value, pytest.approx(partial))
