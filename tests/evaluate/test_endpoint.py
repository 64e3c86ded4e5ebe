"""A server that speaks the chat-completions protocol, played by a thread."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from longpanda.errors import ErrorKind
from longpanda.evaluate import Endpoint, run
from longpanda.longwatch.answers import Mark
from longpanda.types import Facts, Sample

ANSWERS = {
    "fine": (200, json.dumps({"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 12}})),
    "null": (200, json.dumps({"choices": [{"message": {"content": "yes"}}], "usage": None})),
    "empty": (200, json.dumps({"choices": [{"message": {"content": None}}]})),
    "odd": (200, json.dumps({"choices": []})),
    "list": (200, "[]"),
    "text": (200, "hello"),
    "key": (401, "Incorrect key: ".ljust(77, ".") + "secret"),
    "gone": (410, "not here any more"),
}


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        code, text = ANSWERS[body["messages"][0]["content"][-1]["text"].split()[0]]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Server) as running:
        running.seen = []
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def _pictures(video: str) -> list[tuple[float, bytes]]:
    return [(0.0, b"one"), (61.5, b"two")]


def _ask(url: str, *questions: str):
    samples = [Sample(question, "yes", "f", "v", facts=Facts(instruction="Be brief.")) for question in questions]
    endpoint = Endpoint(url, "m", _pictures, key="secret", timeout_seconds=5.0)
    return list(run(endpoint, samples, lambda text, sample: Mark(float(text == sample.target), 0.0)))


def test_frames_times_and_question_are_sent_and_the_answer_is_read(server) -> None:
    (score,) = _ask(f"http://127.0.0.1:{server.server_port}/v1/", "fine")
    assert (score.value, score.reply.frames_seconds) == (1.0, (0.0, 61.5))
    ((path, key, body),) = server.seen
    assert (path, key, body["model"], body["temperature"]) == ("/v1/chat/completions", "Bearer secret", "m", 0)
    content = body["messages"][0]["content"]
    assert [part["text"] for part in content if part["type"] == "text"] == ["00:00.0", "01:01.5", "fine Be brief."]
    address = content[3]["image_url"]["url"]
    assert base64.b64decode(address.partition(",")[2]) == b"two"


@pytest.mark.parametrize(
    ("question", "error"), [("odd", "answered"), ("list", "answered"), ("text", "JSON: 'hello'"), ("gone", "410")]
)
def test_a_server_that_fails_scores_an_error_and_the_run_goes_on(server, question, error) -> None:
    bad, good = _ask(f"http://127.0.0.1:{server.server_port}/v1", question, "fine")
    assert bad.value == 0
    assert error in bad.error
    assert good.value == 1


def test_an_empty_answer_is_an_error_of_its_own_kind(server) -> None:
    (score,) = _ask(f"http://127.0.0.1:{server.server_port}/v1", "empty")
    assert (score.value, score.error_kind, score.reply.text) == (0.0, ErrorKind.EMPTY, "")
    assert score.reply.frames_seconds == (0.0, 61.5)


def test_an_answer_without_usage_is_an_answer(server) -> None:
    (score,) = _ask(f"http://127.0.0.1:{server.server_port}/v1", "null")
    assert (score.value, score.error) == (1.0, None)


def test_no_server_scores_an_error() -> None:
    (score,) = _ask("http://127.0.0.1:9/v1", "fine")
    assert "failed" in score.error


def test_a_key_that_the_server_repeats_is_not_told_not_even_half(server) -> None:
    (score,) = _ask(f"http://127.0.0.1:{server.server_port}/v1", "key")
    assert "401" in score.error
    assert "sec" not in score.error


def test_a_user_and_a_query_are_sent_along(server) -> None:
    url = f"http://me:p%40ss@127.0.0.1:{server.server_port}/v1?version=2"
    (score,) = run(Endpoint(url, "m", _pictures), [Sample("fine", "yes", "f", "v")], lambda *_: Mark(1.0, 1.0))
    ((path, key, _),) = server.seen
    assert score.error is None
    assert (path, key) == ("/v1/chat/completions?version=2", "Basic " + base64.b64encode(b"me:p@ss").decode())


@pytest.mark.parametrize(
    "url",
    ["http://me:HUSH@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?api_key=HUSH", "me:HUSH@x", "http://[HUSH:HUSH@x/v1"],
)
def test_an_error_tells_no_secret(url) -> None:
    endpoint = Endpoint(url, "m", _pictures, key="HUSH")
    (score,) = run(endpoint, [Sample("fine", "yes", "f", "v")], lambda *_: Mark(1.0, 1.0))
    assert "HUSH" not in score.error
