"""Which replies are no answers, whoever gave them."""

import pytest

from longpanda.errors import AnswererError, ContextError, ErrorKind, LongPandaError, VideoError
from longpanda.evaluate import run
from longpanda.evaluate.unanswered import kind_of, why_no_answer
from longpanda.longwatch.answers import Mark
from longpanda.types import Reply, Sample

SAMPLE = Sample("q", "47", "f", "v")


class Says:
    """Gives one reply to everything."""

    def __init__(self, reply):
        self.reply = reply

    def watch(self, video):  # noqa: ARG002
        return self._ask

    def _ask(self, sample):  # noqa: ARG002
        return self.reply


def _scored(reply):
    (score,) = run(Says(reply), [SAMPLE], lambda text, sample: Mark(float(text == sample.target), 0.5))
    return score


@pytest.mark.parametrize("end", [None, "stop", "STOP", "eos_token", "end_turn"])
def test_a_whole_answer_is_scored(end):
    score = _scored(Reply("<think>12?</think> 47", finish_reason=end))
    assert (score.value, score.error, score.error_kind) == (1.0, None, "")
    assert (score.reply.text, score.reply.thinking, score.reply.finish_reason) == ("47", "12?", end)


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (Reply(""), ErrorKind.EMPTY, "an empty answer"),
        (Reply(" \n"), ErrorKind.EMPTY, "an empty answer"),
        (Reply("", finish_reason="stop", thinking="hm"), ErrorKind.EMPTY, "2 characters of thinking and no answer"),
        (Reply("<think>47"), ErrorKind.EMPTY, "2 characters of thinking"),
        (Reply("47", finish_reason="length"), ErrorKind.CUT, "cut off ('length'), after '47'"),
        (Reply("", finish_reason="MAX_TOKENS"), ErrorKind.CUT, "--answer-tokens"),
        (Reply("47", finish_reason="who knows"), ErrorKind.CUT, "'who knows'"),
        (Reply("47", finish_reason="content_filter"), ErrorKind.FILTERED, "withheld by a filter"),
        (Reply("no", finish_reason="refusal"), ErrorKind.FILTERED, "refused"),
        (Reply("", finish_reason="SAFETY"), ErrorKind.FILTERED, "withheld"),
        (Reply("47", finish_reason="error"), ErrorKind.FAILED, "the system failed"),
        (Reply("47", finish_reason="tool_calls"), ErrorKind.MALFORMED, "a tool call"),
    ],
)
def test_what_is_no_answer_is_an_error_of_its_kind_that_keeps_what_was_said(reply, kind, message):
    score = _scored(reply)
    assert (score.value, score.partial, score.error_kind) == (0.0, 0.0, kind)
    assert message in score.error
    assert score.reply.finish_reason == reply.finish_reason


def test_an_answer_has_nothing_that_keeps_it_from_being_one():
    assert why_no_answer(Reply("47", finish_reason="stop")) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AnswererError("f", "e", "r", ErrorKind.BUSY), ErrorKind.BUSY),
        (AnswererError("f", "e", "r"), ErrorKind.OTHER),
        (ContextError("f", "e", "r"), ErrorKind.TOO_LARGE),
        (VideoError("f", "e", "r"), ErrorKind.VIDEO),
        (LongPandaError("f", "e", "r"), ErrorKind.OTHER),
    ],
)
def test_what_is_raised_has_a_kind(error, kind):
    assert kind_of(error) is kind


def test_a_video_that_cannot_be_read_is_an_error_of_all_its_questions():
    class Blind:
        def watch(self, video):  # noqa: ARG002
            raise VideoError("no picture", "some", "make it again")

    scores = list(run(Blind(), [SAMPLE, SAMPLE], lambda *_: Mark(1.0, 1.0)))
    assert [(score.value, score.error_kind) for score in scores] == [(0.0, ErrorKind.VIDEO)] * 2
