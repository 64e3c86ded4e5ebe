"""What a request asks for, and what is left of it."""

import pytest

from longpanda.errors import ConfigError
from longpanda.evaluate.request import Fields, Request


def test_fields_are_the_limit_the_temperature_and_what_is_added():
    assert Request().fields == {"max_tokens": 64, "temperature": 0.0}
    other = Request(9, "max_completion_tokens", 0.5, {"seed": 1, "temperature": None})
    assert other.fields == {"max_completion_tokens": 9, "seed": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answer_tokens": 0}, "at most 0 tokens"),
        ({"limit_field": "max_length"}, "expected max_tokens or max_completion_tokens"),
        ({"temperature": -1.0}, "a temperature of -1"),
        ({"temperature": float("nan")}, "a temperature of nan"),
        ({"extra": {"stream": True, "messages": []}}, "'messages, stream'"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Request(**options)


def test_a_refused_limit_is_given_its_other_name_and_then_left_out():
    fields = Fields({"max_tokens": 9, "temperature": 0.0})
    assert fields.give_up(["max_tokens"]) == ["refuses 'max_tokens': 'max_completion_tokens' is sent instead"]
    assert fields.sent == {"max_completion_tokens": 9, "temperature": 0.0}
    assert fields.give_up(["max_completion_tokens"]) == ["refuses 'max_completion_tokens': it is omitted from now on"]
    assert fields.sent == {"temperature": 0.0}
    assert fields.left_out == ("max_tokens", "max_completion_tokens")


def test_what_another_worker_gave_up_is_not_said_again():
    fields = Fields({"temperature": 0.0})
    assert len(fields.give_up(["temperature"])) == 1
    assert fields.give_up(["temperature"]) == []
    assert fields.left_out == ("temperature",)
