"""Other systems behind JSON lines: what works, and what scores an error without stopping the run."""

import math
import sys
from pathlib import Path

import pytest

from longpanda.errors import ConfigError, ErrorKind
from longpanda.evaluate import Command, run
from longpanda.longwatch.answers import Mark
from longpanda.types import Facts, Sample

PROGRAM = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    match asked["question"]:
        case "crash": sys.exit(3)
        case "mute": os.close(1); time.sleep(60)
        case "hang": time.sleep(60)
        case "garbage": print("what?", flush=True)
        case "number": print(json.dumps({"answer": 7}), flush=True)
        case "list": print("[]", flush=True)
        case "no answer": print("{}", flush=True)
        case "times": print(json.dumps({"answer": "x", "frames_seconds": "abc"}), flush=True)
        case "tokens": print(json.dumps({"answer": "x", "visual_tokens": "many"}), flush=True)
        case "twice": print('{"answer": "fine"}\\n{"answer": "again"}', flush=True); time.sleep(0.2)
        case "blank": print('\\n{"answer": "fine"}', flush=True)
        case "empty": print(json.dumps({"answer": " \\n"}), flush=True)
        case "null": print(json.dumps({"answer": None}), flush=True)
        case "cut": print(json.dumps({"answer": "fi", "finish_reason": "length"}), flush=True)
        case "odd end": print(json.dumps({"answer": "fi", "finish_reason": 7}), flush=True)
        case "failed": print(json.dumps({"error": "no memory, token=HUSH"}), flush=True)
        case "failed in parts": print(json.dumps({"error": {"code": 7}}), flush=True)
        case "thought":
            said = {"answer": "<think>x</think>fine", "thinking": "before", "error": None, "answer_tokens": 9}
            print(json.dumps(said), flush=True)
        case "bytes": sys.stdout.buffer.write(b'{"answer": "\\xff"}\\n'); sys.stdout.flush()
        case "where": print(json.dumps({"answer": asked["video"] + asked["instruction"]}), flush=True)
        case _: print(json.dumps({"answer": "fine", "frames_seconds": [0, 1.5], "visual_tokens": 5}), flush=True)
"""


@pytest.fixture
def command():
    answerer = Command([sys.executable, "-c", PROGRAM], Path("films"), timeout_seconds=5.0)
    yield answerer
    answerer.close()


def _exact(text: str, sample: Sample) -> Mark:
    return Mark(float(text == sample.target), 0.0)


def _ask(answerer, *questions):
    return list(run(answerer, [Sample(q, "fine", "f", "v", facts=Facts(instruction="!")) for q in questions], _exact))


def test_answers_and_costs_are_read(command) -> None:
    one, two = _ask(command, "one", "where")
    assert (one.value, one.error, one.reply.frames_seconds, one.reply.visual_tokens) == (1.0, None, (0.0, 1.5), 5)
    assert one.reply.seconds > 0
    assert two.reply.text == "films/v.mp4!"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("crash", "ended with code 3"),
        ("mute", "ended with code -9"),
        ("garbage", "what"),
        ("number", "wrote"),
        ("list", "wrote"),
        ("no answer", "wrote"),
        ("times", "wrote"),
        ("tokens", "wrote"),
    ],
)
def test_nonsense_scores_an_error_and_the_next_question_is_asked(command, question, message) -> None:
    bad, good = _ask(command, question, "next")
    assert bad.value == 0
    assert message in bad.error
    assert good.value == 1


@pytest.mark.parametrize(
    ("question", "kind", "message"),
    [
        ("empty", ErrorKind.EMPTY, "an empty answer"),
        ("null", ErrorKind.EMPTY, "an empty answer"),
        ("cut", ErrorKind.CUT, "cut off ('length'), after 'fi'"),
        ("failed", ErrorKind.FAILED, "reported an error: 'no memory, token=MASKED'"),
        ("failed in parts", ErrorKind.FAILED, "code"),
        ("odd end", ErrorKind.MALFORMED, "wrote"),
        ("crash", ErrorKind.ENDED, "code 3"),
        ("garbage", ErrorKind.MALFORMED, "what?"),
    ],
)
def test_what_is_no_answer_has_its_kind(command, question, kind, message) -> None:
    bad, good = _ask(command, question, "next")
    assert (bad.value, bad.error_kind) == (0.0, kind)
    assert message in bad.error
    assert "HUSH" not in bad.error
    assert (good.value, good.error_kind) == (1.0, "")


def test_thinking_is_taken_off_and_kept(command) -> None:
    (score,) = _ask(command, "thought")
    assert (score.value, score.reply.text, score.reply.thinking) == (1.0, "fine", "before\nx")
    assert score.reply.answer_tokens == 9


def test_silence_scores_an_error_and_the_next_question_is_asked() -> None:
    command = Command([sys.executable, "-c", PROGRAM], Path("films"), timeout_seconds=1.5)
    bad, good = _ask(command, "hang", "next")
    command.close()
    assert "silent for 1.5 s" in bad.error
    assert bad.error_kind == ErrorKind.TIMEOUT
    assert good.value == 1


def test_a_command_that_does_not_exist_scores_errors() -> None:
    (score,) = _ask(Command(["no-such-program-anywhere"], Path("films"), 1.0), "one")
    assert "cannot be started" in score.error


def test_a_line_too_many_is_an_error_and_not_the_next_answer(command) -> None:
    first, second = _ask(command, "twice", "next")
    assert "again" in first.error
    assert (second.value, second.reply.text) == (1, "fine")


def test_what_is_no_text_is_read_all_the_same(command) -> None:
    (score,) = _ask(command, "bytes")
    assert score.error is None


def test_a_closed_one_starts_no_more(command) -> None:
    assert _ask(command, "one")[0].error is None
    command.close()
    assert "is closed" in _ask(command, "one")[0].error


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan, 1e300])
def test_a_timeout_is_a_finite_time(seconds) -> None:
    with pytest.raises(ConfigError, match="a timeout of"):
        Command(["cat"], Path("films"), seconds)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("number", "answer is not a string"),
        ("times", "frames_seconds is not a list of seconds"),
        ("tokens", "visual_tokens is not a whole number"),
        ("odd end", "finish_reason is not a string"),
        ("list", "not an object"),
    ],
)
def test_what_is_wrong_in_a_line_is_named(command, question, why) -> None:
    (score,) = _ask(command, question)
    assert f"({why})" in score.error


def test_an_empty_line_before_an_answer_is_no_answer(command) -> None:
    assert [score.value for score in _ask(command, "blank", "fine")] == [1.0, 1.0]
