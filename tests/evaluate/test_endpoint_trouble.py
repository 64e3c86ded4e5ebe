"""Servers that are busy, fail, refuse or break off, each a thread that plays its part; nobody sleeps."""

import socket
from email.utils import formatdate

import pytest
from chat_server import BUSY, DOWN, RESET, SILENT, answer, nth, refused

from longpanda.errors import ConfigError, ErrorKind
from longpanda.evaluate import Endpoint, Request, run, run_many
from longpanda.evaluate.endpoint import TRIES
from longpanda.longwatch.answers import Mark
from longpanda.types import Sample

NOW = 1_700_000_000.0


class Asked:
    """An endpoint with what it said and waited."""

    def __init__(self, url, **options):
        self.said, self.waits = [], []
        settings = {"timeout_seconds": 20.0, "clock": lambda: NOW} | options
        watched = {"say": self.said.append, "sleep": self.waits.append}
        self.endpoint = Endpoint(url, "m", lambda _: [(0.0, b"one")], **settings, **watched)

    def ask(self, count=1):
        samples = [Sample(f"q{i}", "yes", "f", "v") for i in range(count)]
        return list(run(self.endpoint, samples, lambda text, sample: Mark(float(text == sample.target), 0.0)))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", pytest.approx(7)),
        (formatdate(NOW + 9, usegmt=True), pytest.approx(9)),
        ("nonsense", pytest.approx(0.75, abs=0.25)),
        ("", pytest.approx(0.75, abs=0.25)),
    ],
)
def test_a_busy_server_is_asked_again_after_what_it_asks_for(serve, header, wait):
    server = serve(nth((*BUSY, ("Retry-After", header))))
    asked = Asked(server.url)
    (score,) = asked.ask()
    assert (score.value, score.error, score.reply.prompt_tokens) == (1.0, None, 9)
    assert asked.waits == [wait]
    assert len(server.bodies) == 2
    assert bool(asked.said) == (header not in ("", "nonsense")), "a long wait is told"


@pytest.mark.parametrize("trouble", [DOWN, (500, "oops"), (502, ""), (504, ""), (200, {"error": {"code": 502}}), RESET])
def test_what_may_pass_is_asked_again_with_growing_pauses(serve, trouble):
    asked = Asked(serve(nth(trouble, trouble, trouble)).url)
    (score,) = asked.ask()
    assert (score.value, score.error) == (1.0, None)
    assert [0.5 <= wait / 2**tries <= 1 for tries, wait in enumerate(asked.waits)] == [True] * 3


@pytest.mark.parametrize("status", [201, 202, 203])
def test_any_status_of_success_with_a_completion_is_an_answer(serve, status):
    (score,) = Asked(serve(nth((status, answer()[1]))).url).ask()
    assert (score.value, score.error) == (1.0, None)
    (score,) = Asked(serve(nth((status, {"id": "later"}))).url).ask()
    assert score.error_kind == ErrorKind.MALFORMED
    assert "answered without a message" in score.error


def test_patience_ends_and_is_not_spent_again_until_something_is_answered(serve):
    server = serve(lambda _, number: DOWN if number < 12 else None)
    asked = Asked(server.url, patience_seconds=10.0)
    first, *others = asked.ask(20)
    assert (first.error_kind, sum(asked.waits) <= 10) == (ErrorKind.BUSY, True)
    tries = len(asked.waits) + 1
    assert f"asked {tries} times" in first.error
    assert [score.error_kind for score in others[: 12 - tries]] == [ErrorKind.BUSY] * (12 - tries), "one try each"
    assert {score.value for score in others[12 - tries :]} == {1.0}
    assert len(server.bodies) == 12 + 20 - (12 - tries + 1)


def test_a_server_that_fails_is_asked_a_few_times_and_one_that_is_busy_as_long_as_there_is_patience(serve):
    failing, busy = serve(lambda *_: (500, "oops")), serve(lambda *_: BUSY)
    (score,) = Asked(failing.url, patience_seconds=1000.0).ask()
    assert (score.error_kind, len(failing.bodies)) == (ErrorKind.FAILED, TRIES)
    (score,) = Asked(busy.url, patience_seconds=1000.0).ask()
    assert score.error_kind == ErrorKind.BUSY
    assert len(busy.bodies) > 2 * TRIES


def test_after_an_answer_there_is_patience_again(serve):
    script = {0: DOWN, 1: None, 2: DOWN}
    asked = Asked(serve(lambda _, number: script.get(number)).url, patience_seconds=1.0)
    assert [score.value for score in asked.ask(3)] == [1.0, 1.0, 1.0]


def test_a_wait_beyond_the_patience_is_not_begun(serve):
    asked = Asked(serve(nth((*BUSY, ("Retry-After", "3600")))).url)
    (score,) = asked.ask()
    assert (score.error_kind, asked.waits) == (ErrorKind.BUSY, [])
    assert "wants 3600 s of patience" in score.error
    assert "--patience" in score.error


def test_without_patience_nothing_is_asked_twice(serve):
    server = serve(nth(DOWN))
    assert Asked(server.url, patience_seconds=0.0).ask()[0].error_kind == ErrorKind.BUSY
    assert len(server.bodies) == 1


def _new_model(body, number):
    if "max_tokens" in body:
        return refused("'max_tokens' is not supported. Use 'max_completion_tokens' instead.", param="max_tokens")
    if body.get("temperature", 1) != 1:
        return refused("'temperature' does not support 0 with this model.", param="temperature")
    return None


def test_what_a_server_refuses_is_left_out_after_one_try_and_said_once(serve):
    server = serve(_new_model)
    asked = Asked(server.url, request=Request(answer_tokens=99))
    assert [score.value for score in asked.ask(3)] == [1.0] * 3
    assert len(server.bodies) == 3 + 2
    assert server.bodies[-1]["max_completion_tokens"] == 99
    assert "temperature" not in server.bodies[-1]
    assert ["'max_completion_tokens' is sent instead" in asked.said[0], "omitted" in asked.said[1]] == [True] * 2
    assert (len(asked.said), asked.endpoint.left_out) == (2, ("max_tokens", "temperature"))
    assert asked.waits == []


def test_a_field_that_an_error_names_by_the_way_is_sent_again(serve):
    server = serve(lambda body, number: refused(f"odd request {sorted(body)}") if number < 3 else None)
    asked = Asked(server.url)
    assert [score.error_kind for score in asked.ask(2)] == [ErrorKind.REJECTED, ""]
    assert len(server.bodies) == 3 + 1, "with another name of the limit, and without any"
    assert (asked.said, asked.endpoint.left_out) == ([], ())
    assert {"max_tokens", "temperature"} < {*server.bodies[-1]}


def test_workers_share_what_a_server_refuses(serve):
    server = serve(_new_model)
    asked = Asked(server.url)
    samples = [Sample(f"q{i}", "yes", "f", f"v{i}") for i in range(40)]
    scores = list(run_many([asked.endpoint] * 4, samples, lambda *_: Mark(1.0, 1.0)))
    assert [score.error for score in scores] == [None] * 40
    assert sorted(asked.endpoint.left_out) == ["max_tokens", "temperature"]
    assert len(asked.said) == 2
    assert len(server.bodies) <= 40 + 2 * 4


def test_a_server_that_refuses_without_a_name_is_asked_once(serve):
    server = serve(lambda *_: refused("something is wrong"))
    (score,) = Asked(server.url).ask()
    assert (score.error_kind, len(server.bodies)) == (ErrorKind.REJECTED, 1)
    assert "something is wrong" in score.error


def test_what_a_request_asks_for_is_sent(serve):
    server = serve(nth())
    extra = {"seed": 3, "temperature": None, "chat_template_kwargs": {"enable_thinking": False}}
    Asked(server.url, request=Request(512, "max_completion_tokens", 0.0, extra)).ask()
    (body,) = server.bodies
    assert {*body} == {"model", "messages", "max_completion_tokens", "seed", "chat_template_kwargs"}
    assert (body["max_completion_tokens"], body["seed"]) == (512, 3)


@pytest.mark.parametrize(
    ("done", "kind", "message"),
    [
        ((401, {"error": {"message": "Incorrect API key"}}), ErrorKind.DENIED, "--key-variable"),
        ((404, {"error": {"message": "no model 'm'"}}), ErrorKind.DENIED, "--endpoint-model"),
        (
            (308, "", ("Location", "https://me:HUSH@elsewhere/v1")),
            ErrorKind.DENIED,
            "moved to https://MASKED@elsewhere",
        ),
        ((413, "<html>too large</html>"), ErrorKind.TOO_LARGE, "fewer pictures with --frames"),
        (
            refused("max_tokens is too large: 640000. This model's maximum context length is 8192"),
            ErrorKind.TOO_LARGE,
            "or lower --answer-tokens",
        ),
        (refused("At most 1 image(s) may be provided in one request."), ErrorKind.TOO_LARGE, "with --frames"),
        (answer("", "length"), ErrorKind.CUT, "--answer-tokens"),
        (answer(None, "content_filter"), ErrorKind.FILTERED, "filter"),
        (answer("", "error", error={"code": 400, "message": "x"}), ErrorKind.REJECTED, "answered with an error"),
        ((200, "<html>log in</html>"), ErrorKind.MALFORMED, "other than JSON"),
        ((200, {"choices": []}), ErrorKind.MALFORMED, "without a message"),
    ],
)
def test_what_does_not_pass_is_asked_once_and_says_what_to_do(serve, done, kind, message):
    server = serve(lambda *_: done)
    asked = Asked(server.url)
    (score,) = asked.ask()
    assert (score.value, score.error_kind) == (0.0, kind)
    assert message in score.error
    assert (len(server.bodies), asked.waits) == (1, [])
    assert "HUSH" not in score.error


def test_silence_is_an_error_of_time_and_not_asked_again(serve):
    server = serve(nth(SILENT))
    (score,) = Asked(server.url, timeout_seconds=0.2).ask()
    assert (score.error_kind, len(server.bodies)) == (ErrorKind.TIMEOUT, 1)
    assert "was silent for 0.2 s" in score.error
    assert "--timeout" in score.error


def test_an_answer_that_comes_in_drops_has_to_be_whole_in_time(serve, monkeypatch):
    times = iter([0.0, 21.0])
    monkeypatch.setattr("longpanda.evaluate.endpoint.monotonic", lambda: next(times))
    (score,) = Asked(serve(nth()).url, timeout_seconds=20.0).ask()
    assert score.error_kind == ErrorKind.TIMEOUT


def test_a_server_that_was_never_there_is_not_waited_for_and_one_that_was_is(serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    asked = Asked(nobody)
    (score,) = asked.ask()
    assert (score.error_kind, asked.waits) == (ErrorKind.CONNECTION, [])
    assert "--endpoint" in score.error
    server = serve(nth((200, answer()[1], ("Connection", "close"))))
    asked = Asked(server.url, patience_seconds=1.5)
    asked.ask()
    server.shutdown()
    server.server_close()
    (score,) = asked.ask()
    assert score.error_kind == ErrorKind.CONNECTION
    assert asked.waits


def test_seconds_are_those_of_the_answer_and_not_of_the_waiting(serve):
    asked = Asked(serve(nth(DOWN)).url)
    (score,) = asked.ask()
    assert 0 < score.reply.seconds < 20


def test_a_key_with_spaces_around_it_is_sent_without(serve):
    asked = Asked(serve(nth()).url, key=" secret\n")
    assert asked.ask()[0].error is None


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_patience_is_no_less_than_none(seconds):
    with pytest.raises(ConfigError, match="a patience of"):
        Asked("http://127.0.0.1:9", patience_seconds=seconds)
