"""Errors cross processes with all that a user can act on."""

import pickle

import pytest

from longpanda import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LongPandaError)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (errors.counted(0, "frame"), "0 frames"),
        (errors.counted(1, "frame"), "1 frame"),
        (errors.counted(7200, "visual token"), "7,200 visual tokens"),
        (errors.counted(1.0, "token"), "1 token"),
        (errors.counted(0.25, "token"), "0.25 tokens"),
        (errors.counted(1, "process", "processes"), "1 process"),
        (errors.counted(2, "process", "processes"), "2 processes"),
    ],
)
def test_a_number_and_its_noun_agree(said, expected):
    assert said == expected


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("frmes", "did you mean 'frames'?"),
        ("tokens", "did you mean 'answer-tokens'?"),
        ("json", "choose one of: answer-tokens, fps, frames, version"),
        ("ps", "did you mean 'fps'?"),
        ("n", "choose one of: answer-tokens, fps, frames, version"),
    ],
)
def test_a_remedy_names_what_is_alike_and_nothing_else(name, remedy):
    assert errors.nearest(name, ["version", "frames", "answer-tokens", "fps"]) == remedy
    assert errors.nearest(name, []) == "there is none to choose from"


def test_a_remedy_does_not_repeat_a_list_that_the_error_has():
    assert errors.nearest("n", ["fps", "frames"], is_listed=True) == "choose one of these"
    assert errors.nearest("frmes", ["fps", "frames"], is_listed=True) == "did you mean 'frames'?"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling(kind):
    more = (1.5,) if kind is errors.CutVideoError else ()
    error = kind("found", "expected", "remedy", *more)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, "found; expected expected; remedy", vars(error))
