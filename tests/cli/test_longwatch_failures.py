"""`longpanda longwatch run` where answers are missing: exit codes, how to go on, and films that have changed."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter

import pytest
from answering import NEVER, run
from chat_server import answer, nth, refused

from longpanda.cli.main import main, parser
from longpanda.evaluate import read_notes, read_records
from longpanda.evaluate.request import LIMITS
from longpanda.longwatch.folder import read_questions

MAKE = "--minutes 3 --per-cell 3 --seed 7 --split dev --size-px 96 --fps 0.5 --families count needle"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("failures") / "suite"
    assert main(["longwatch", "make", *MAKE.split(), "--workers", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def suite(made, capsys):
    capsys.readouterr()
    return made


@pytest.fixture
def never(program):
    return program(NEVER)


def _ask(suite, out, server, *more):
    return run(suite, out, "--endpoint", server.url, "--frames", "2", "--patience", "0", *more)


def _question(body):
    return body["messages"][0]["content"][-1]["text"]


def test_errors_end_with_code_3_are_told_apart_and_asked_again_alone(suite, serve, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    server = serve(nth(answer("never", "length"), answer(None, "content_filter"), answer("", "length")))
    assert _ask(suite, out, server) == 3
    said, complaint = capsys.readouterr()
    lines = said.splitlines()
    assert lines[0] == "count      no answer to 3 questions"
    assert lines[1].endswith("3 questions, 1 video")
    assert lines[2] == "3 errors, which count as wrong; 0.0% right of the 3 answered"
    assert lines[3].startswith("  2 cut, the first: the answer was cut off ('length'), after 'never'; allow longer")
    assert lines[4].startswith("  1 filtered, the first: the answer was withheld by a filter")
    assert lines[5] == "tokens: 54 read, 0 written"
    last = complaint.splitlines()[-1]
    assert last.startswith("longpanda: 3 of 6 questions without an answer; expected an answer to each; run the same")
    assert Counter(score.error_kind for score in read_records(out)[1]) == {"": 3, "cut": 2, "filtered": 1}
    failed = [_question(body) for body in server.bodies[:3]]
    assert _ask(suite, out, server, "--no-retry-errors") == 3
    assert len(server.bodies) == 6, "they are left when that is asked for"
    assert "run the same command again without --no-retry-errors" in capsys.readouterr().err
    assert _ask(suite, out, server, "--answer-tokens", "900") == 0
    assert [_question(body) for body in server.bodies[6:]] == failed
    assert {body["max_tokens"] for body in server.bodies[6:]} == {900}
    assert {score.error for score in read_records(out)[1]} == {None}
    assert [notes["answer_tokens"] for notes in read_notes(out)] == [64, 900]


def test_a_report_tells_accuracy_with_and_without_errors(suite, serve, tmp_path, capsys):
    out, plain = tmp_path / "r.jsonl", tmp_path / "r.md"
    assert _ask(suite, out, serve(nth(answer("", "length"))), "--extra-body", '{"seed": 3}') == 3
    assert main(["longwatch", "report", str(out), "--suite", str(suite), "--markdown", str(plain)]) == 0
    text = plain.read_text()
    for shown in (text, capsys.readouterr().out):
        assert "| family | all questions | answered questions | errors |" in shown
        assert "| cut | 1 | the answer was cut off at a limit |" in shown
    assert "prompt tokens" in text
    commands = [line.strip() for line in text.splitlines() if line.startswith("    longpanda longwatch run")]
    words = shlex.split(commands[0])
    options = parser().parse_args(words[1:])
    assert (options.extra_body, options.answer_tokens, options.temperature) == ('{"seed": 3}', 64, 0.0)


def test_a_report_of_errors_alone_shows_no_result(suite, serve, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert _ask(suite, out, serve(lambda *_: answer("", "length"))) == 3
    capsys.readouterr()
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("default at http://127.0.0.1:")
    assert "No question got an answer: there is no result yet." in said.splitlines()[0]
    assert "0.0%" not in said
    assert "| cut | 6 | the answer was cut off at a limit |" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_wrong_key_stops_the_run_at_once_in_one_line(workers, suite, serve, tmp_path, capsys):
    server = serve(lambda *_: (401, {"error": {"message": "Incorrect API key provided"}}))
    assert _ask(suite, tmp_path / "r.jsonl", server, "--workers", workers) == 3
    said, complaint = capsys.readouterr()
    assert said == ""
    last = complaint.splitlines()[-1]
    assert "answered 401" in last
    assert "the key in --key-variable; then run the same command again, which continues" in last
    assert len(server.bodies) <= int(workers)


def test_many_errors_in_a_row_stop_the_run_and_what_was_never_asked_comes_first(
    suite, serve, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("longpanda.cli.longwatch_errors.ERRORS_IN_A_ROW", 2)
    out = tmp_path / "r.jsonl"
    server = serve(nth((500, "oops"), (500, "oops")))
    assert _ask(suite, out, server) == 3
    assert "2 errors in a row, the last: " in capsys.readouterr().err
    assert _ask(suite, out, server) == 0
    asked = [_question(body) for body in server.bodies]
    assert asked[-2:] == asked[:2]
    assert len(asked) - 8 in (0, 1), "one may have been on its way"


def test_what_a_server_refuses_is_said_once_and_stands_in_the_results(suite, serve, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    server = serve(lambda body, _: refused("no 'temperature' here") if "temperature" in body else None)
    assert _ask(suite, out, server, "--temperature", "0.5") == 0
    assert capsys.readouterr().err.count("refuses 'temperature'") == 1
    assert read_notes(out)[-1]["refused_by_server"] == "temperature"
    assert read_records(out)[0]["temperature"] == 0.5
    assert len(server.bodies) == 7
    assert main(["longwatch", "report", str(out)]) == 0
    assert "refused_by_server" in out.with_suffix(".html").read_text()


def test_another_temperature_or_body_is_another_measurement(suite, serve, tmp_path, capsys):
    out, server = tmp_path / "r.jsonl", serve(nth())
    assert _ask(suite, out, server) == 0
    for more, told in (
        (["--temperature", "1"], "temperature was 0.0 and is now 1.0; expected one file per configuration"),
        (["--extra-body", '{"top_p": 0.9}'], """extra_body was not set and is now '{"top_p": 0.9}'; expected"""),
        (["--limit-field", LIMITS[1]], f"limit_field was '{LIMITS[0]}' and is now '{LIMITS[1]}'; expected"),
        (["--endpoint-model", "other"], "endpoint_model was 'default' and is now 'other'; expected"),
    ):
        assert _ask(suite, out, server, *more) == 2
        said = capsys.readouterr().err
        assert f"'{out}' holds results of other settings: {told}" in said
        assert "use the same settings, or write to another file" in said
    assert _ask(suite, out, server, "--endpoint-model", "default") == 0, "what it is where nobody says"


def test_a_secret_in_an_extra_body_is_stored_nowhere(suite, serve, tmp_path):
    out, server = tmp_path / "r.jsonl", serve(nth())
    assert _ask(suite, out, server, "--extra-body", '{"api_key": "HUSH"}') == 0
    assert server.bodies[0]["api_key"] == "HUSH"
    assert "HUSH" not in out.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--oracle", "--temperature", "0"], "--temperature without --endpoint"),
        (["--oracle", "--answer-tokens", "9"], "--answer-tokens for a command or the oracle"),
        (["--command", "cat", "--patience", "9"], "--patience without --endpoint"),
        (["--oracle", "--endpoint-model", "x"], "--endpoint-model without --endpoint"),
        (["--command", "cat", "--key-variable", "OPENAI_API_KEY"], "--key-variable without --endpoint"),
        (["--oracle", "--timeout", "300"], "--timeout without --command or --endpoint"),
        (["--model", "nano", "--timeout", "9"], "--timeout without --command or --endpoint"),
        (["--endpoint", "http://127.0.0.1:9", "--answer-tokens", "0"], "--answer-tokens 0; expected at least 1"),
        (["--endpoint", "http://127.0.0.1:9", "--temperature", "-1"], "a temperature of -1"),
        (["--endpoint", "http://127.0.0.1:9", "--patience", "-1"], "a patience of -1 s"),
        (["--endpoint", "http://127.0.0.1:9", "--extra-body", "{"], "--extra-body is not JSON"),
        (["--endpoint", "http://127.0.0.1:9", "--extra-body", "[]"], "expected a JSON object"),
        (["--endpoint", "http://127.0.0.1:9", "--extra-body", '{"stream": true}'], "extra fields 'stream'"),
        (["--endpoint", "http://127.0.0.1:9", "--limit-field", "x"], "expected max_tokens or max_completion_tokens"),
    ],
)
def test_options_that_cannot_be_are_refused_before_a_question(options, message, suite, tmp_path, capsys):
    assert run(suite, tmp_path / "r.jsonl", *options) == 2
    said, complaint = capsys.readouterr()
    assert message in complaint
    assert (said, complaint.count("\n")) == ("", 1)
    assert not (tmp_path / "r.jsonl").exists()


def test_a_killed_run_is_gone_on_with_and_asks_nothing_twice(suite, serve, tmp_path):
    out = tmp_path / "r.jsonl"
    server = serve(lambda _, number: "silent" if number == 3 else None)
    words = ["longwatch", "run", str(suite), "--endpoint", server.url, "--frames", "2", "--out", str(out)]
    running = subprocess.Popen([sys.executable, "-m", "longpanda.cli.main", *words], stderr=subprocess.DEVNULL)
    while len(server.bodies) < 4 or len(out.read_bytes().splitlines()) < 1 + 3:  # asked, and all before it written
        assert running.poll() is None
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert main(words) == 0
    asked = Counter(_question(body) for body in server.bodies)
    assert sorted(asked.values()) == [1, 1, 1, 1, 1, 2], "the one without an answer alone is asked again"
    assert len(read_records(out)[1]) == 6


@pytest.fixture
def changed(suite):
    """The suite with a film that says something else, until the test is over."""
    film = sorted((suite / "videos").glob("*.mp4"))[0]
    whole = film.read_bytes()
    film.write_bytes(whole + b"\0")
    yield film
    film.write_bytes(whole)


def test_films_that_changed_since_they_were_made_are_refused(changed, suite, never, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--command", never) == 2
    said, complaint = capsys.readouterr()
    last = complaint.splitlines()[-1]
    assert said == ""
    assert f"'{changed}' is changed since it was made; expected the file as it was made" in last
    assert "or run with --unverified, which the results record" in last
    assert not out.exists()


def test_unverified_films_are_asked_about_and_every_result_says_so(changed, suite, never, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--command", never, "--unverified") == 0
    assert "the films were not checked against the hashes" in capsys.readouterr().out
    assert read_records(out)[0]["unverified"] is True
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    page = out.with_suffix(".html").read_text()
    assert "The videos were not checked against the hashes of the suite" in page
    assert "--unverified" in page


def test_verified_and_unverified_results_are_not_mixed(suite, never, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--command", never) == 0
    assert "not held against" not in capsys.readouterr().out
    assert run(suite, out, "--command", never, "--unverified") == 2
    assert "unverified was off and is now on" in capsys.readouterr().err


def test_the_suite_is_what_the_tests_say(suite):
    assert len(read_questions(suite)) == 6
    assert json.loads((suite / "manifest.json").read_text())["sha256"]
