"""`longpanda longwatch run`: with options, with secrets, beside another run, interrupted, and with the example."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from answering import NEVER, run

from longpanda.cli.main import main
from longpanda.evaluate import read_notes, read_records
from longpanda.longwatch.choices import choices
from longpanda.longwatch.folder import read_questions

EXAMPLE = Path(__file__).parents[2] / "examples" / "answerer.py"
MAKE = "--minutes 3 --per-cell 2 --seed 6 --split dev --size-px 96 --fps 0.5 --families count state needle"
LETTER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    assert "B. " in asked["question"] and asked["instruction"] == ""
    print(json.dumps({"answer": "b"}), flush=True)
"""
BROOD = """
import fcntl, json, subprocess, sys
alive = open({alive!r}, "a")
fcntl.flock(alive, fcntl.LOCK_SH)
subprocess.Popen(["sleep", "600"], pass_fds=[alive.fileno()], stdout=subprocess.DEVNULL)
for line in sys.stdin:
    print({answer!r}, flush=True)
"""
"""Holds a lock for as long as it, or what it starts, lives."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "suite"
    assert main(["longwatch", "make", *MAKE.split(), "--workers", "1", "--out", str(folder)]) == 0
    return folder


def test_options_are_asked_in_every_rotation_and_reported(suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(LETTER)
    assert run(suite, out, "--choices", "--command", command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("count      circular   0.0% [0.0%, ")
    assert "plain  20.0% [" in said[0]
    assert said[0].endswith("  2 questions, 1 video")
    assert len({line.index("plain") for line in said[:3]}) == 1, "in columns"
    configuration, scores = read_records(out)
    assert configuration["choices"] is True
    assert len(scores) == 2 * 5 + (3 + 4) + 2 * 8, "both counts, where something is and was, both needles"
    assert len(scores) == len(choices(read_questions(suite))) > 6 * 3
    assert run(suite, out, "--command", command) == 2
    assert "choices was on and is now off; expected" in capsys.readouterr().err
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert "| needle | 3 min | 8 | 12.5% [" in said
    assert "| B | 100.0% |" in said
    assert "B. " in out.with_suffix(".html").read_text()


def test_results_begun_without_options_do_not_go_on_with_them(suite, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--oracle") == 0
    assert run(suite, out, "--oracle", "--choices") == 2
    assert "choices was off and is now on; expected" in capsys.readouterr().err


def test_the_oracle_and_a_model_read_options(suite, model_folder, tmp_path, monkeypatch):
    assert run(suite, tmp_path / "oracle.jsonl", "--oracle", "--choices") == 0
    configuration, scores = read_records(tmp_path / "oracle.jsonl")
    assert configuration["oracle"]
    letters = [score for score in scores if len(score.reply.text) == 1]
    assert len(letters) > 0.8 * len(scores)
    assert not [score.error for score in scores if score.error], "what is no option is wrong, and said all the same"
    assert sum(score.value for score in scores) > 0.8 * len(scores), "all but what 96 px do not show"
    monkeypatch.setattr("longpanda.cli.longwatch_errors.ERRORS_IN_A_ROW", 1000)
    assert run(suite, tmp_path / "model.jsonl", "--model", model_folder, "--frames", "2", "--choices") == 3
    kinds = {score.error_kind for score in read_records(tmp_path / "model.jsonl")[1]}
    assert {"cut"} <= kinds <= {"cut", ""}, "random weights seldom come to an end"


def test_the_example_counts_what_the_lamp_does(suite, tmp_path):
    assert run(suite, tmp_path / "r.jsonl", "--command", f"{sys.executable} {EXAMPLE}") == 0
    _, scores = read_records(tmp_path / "r.jsonl")
    assert not [score.error for score in scores if score.error]
    lamps = [score.value for score in scores if "lamp" in score.sample.question]
    assert lamps == [1.0] * len(lamps) != []


def test_secrets_are_stored_nowhere_and_new_ones_go_on(suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(NEVER)
    for secret in ("HUSH1", "HUSH2"):
        assert run(suite, out, "--command", f"env API_KEY={secret} {command} --token {secret}") == 0
    assert main(["longwatch", "report", str(out)]) == 0
    assert "HUSH" not in out.read_text() + out.with_suffix(".html").read_text() + capsys.readouterr().out
    assert "--token MASKED" in read_records(out)[0]["command"]
    assert run(suite, out, "--command", command) == 2


def test_an_endpoint_is_stored_with_its_frames_and_without_its_key(suite, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--endpoint", "http://me:HUSH@127.0.0.1:9/v1?key=HUSH") == 3
    assert "HUSH" not in out.read_text()
    configuration = read_records(out)[0]
    assert (configuration["endpoint"], configuration["frames"]) == ("http://MASKED@127.0.0.1:9/v1?key=MASKED", 64)


def test_a_model_is_its_files_wherever_they_are(suite, model_folder, tmp_path, capsys):
    import shutil

    moved, out = tmp_path / "elsewhere" / Path(model_folder).name, tmp_path / "r.jsonl"
    shutil.copytree(model_folder, moved)
    model = ["--frames", "2", "--model"]
    assert run(suite, out, *model, model_folder) == 3, "random weights seldom come to an end"
    assert run(suite, out, *model, str(moved), "--workers", "2") == 3
    assert str(moved.parent) not in out.read_text()
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"notice": "changed"}))
    assert run(suite, out, *model, str(moved)) == 2
    assert "other settings: model_sha256 was " in capsys.readouterr().err


def test_results_of_something_else_are_refused_before_a_model_is_loaded(
    suite, model_folder, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "r.jsonl"
    assert run(suite, out, "--oracle") == 0
    before = out.read_bytes()
    loaded = []
    monkeypatch.setattr("longpanda.inference.load", loaded.append)
    assert run(suite, out, "--model", model_folder) == 2
    said = capsys.readouterr().err
    assert f"other settings: model was not set and is now '{Path(model_folder).name}', model_sha256 was not set" in said
    assert "oracle was on and is now off; expected" in said
    assert loaded == []
    (tmp_path / "mine.txt").write_text("precious\n")
    assert run(suite, tmp_path / "mine.txt", "--model", model_folder) == 2
    assert "holds no results" in capsys.readouterr().err
    assert (loaded, out.read_bytes()) == ([], before)


def test_a_command_is_its_program_too(suite, program, tmp_path, capsys):
    out, key = tmp_path / "r.jsonl", tmp_path / "key"
    key.write_text("one")
    command = f"{program(NEVER)} --key-file {key}"
    assert run(suite, out, "--command", command) == 0
    assert len(read_records(out)[0]["program_sha256"]) == 64
    key.write_text("another")
    assert run(suite, out, "--command", command) == 0, "the value of an option is no program"
    before = out.read_bytes()
    program(NEVER.replace("never", "7"))
    assert run(suite, out, "--command", command) == 2
    assert "holds results of other settings: program_sha256 was " in capsys.readouterr().err
    assert out.read_bytes() == before
    assert run(suite, tmp_path / "none.jsonl", "--command", "cat") == 3
    assert "program_sha256" not in read_records(tmp_path / "none.jsonl")[0], "it names no file"


def test_the_circumstances_are_noted_and_may_change(suite, program, tmp_path):
    out, command = tmp_path / "r.jsonl", program(NEVER)
    for timeout in ("50", "60"):
        assert run(suite, out, "--command", command, "--timeout", timeout) == 0
    first, second = read_notes(out)
    assert {"commit", "platform", "python"} <= {*first}
    assert (first["timeout_seconds"], second["timeout_seconds"]) == (50.0, 60.0)


@pytest.mark.parametrize(("command", "message"), [("python 'x", "of a bad form"), ("", "an empty"), (" ", "an empty")])
def test_a_command_that_is_none_is_refused(suite, tmp_path, capsys, command, message):
    assert run(suite, tmp_path / "r.jsonl", "--command", command) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_at_once_and_keeps_what_is_finished(number, code, suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(NEVER)
    words = [sys.executable, "-m", "longpanda.cli.main", "longwatch", "run", str(suite)]
    words += ["--out", str(out), "--command", command]
    napping = os.environ | {"NAP_SECONDS": "600"}
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=napping)
    while not out.exists() or len(out.read_bytes().splitlines()) < 1 + 3:
        assert running.poll() is None
    assert run(suite, out, "--command", command) == 2
    assert "another process is writing" in capsys.readouterr().err.splitlines()[-1]
    running.send_signal(number)
    assert running.communicate(timeout=100)[1].endswith("longpanda: stopped\n")
    assert running.returncode == code
    assert len(read_records(out)[1]) == 3
    assert run(suite, out, "--command", command) == 0
    assert len(read_records(out)[1]) == 6


def _lives(alive):
    with alive.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("end", ["normal", "errors", "exception"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_that_a_command_started_outlives_the_run(end, workers, suite, program, tmp_path, monkeypatch, capsys):
    alive = tmp_path / "alive"
    answer = "nonsense" if end == "errors" else '{"answer": "x"}'
    command = program(BROOD.format(alive=str(alive), answer=answer))
    monkeypatch.setattr("longpanda.cli.longwatch_errors.ERRORS_IN_A_ROW", 3)
    if end == "exception":
        monkeypatch.setattr("longpanda.evaluate.Records.add", lambda *_: 1 / 0)
    code = run(suite, tmp_path / "r.jsonl", "--command", command, "--workers", workers)
    assert code == {"normal": 0, "errors": 3, "exception": 1}[end]
    assert alive.exists()
    until = time.monotonic() + 10
    while _lives(alive) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(alive)
    if end == "errors":
        said = capsys.readouterr().err.splitlines()[-1]
        assert "3 errors in a row, the last: " in said
        assert said.count("expected") == 1


def test_a_run_ends_with_its_errors_and_the_next_command(suite, program, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    wrong = NEVER.replace("time.sleep(", "sys.exit(7 or ")
    assert run(suite, out, "--command", program(wrong)) == 3
    said, complaint = capsys.readouterr()
    *families, errors, kind, after = said.splitlines()
    assert [line.endswith("1 error; 0.0% right without them") for line in families].count(True) == 1
    assert errors == "1 error, which count as wrong; 0.0% right of the 5 answered"
    assert kind.startswith("  1 ended, the first: ")
    assert kind.endswith(" ended with code 7; see its error output")
    assert complaint.endswith("run the same command again, which asks only these\n")
    words = shlex.split(after.removeprefix("next: "))
    assert words == ["longpanda", "longwatch", "report", str(out), "--suite", str(suite)]
    assert main(words[1:]) == 0


@pytest.mark.parametrize(
    ("who", "message"),
    [
        (["--command", "no-such-program-anywhere --api-key HUSH"], "no program 'no-such-program-anywhere'"),
        (["--endpoint", "127.0.0.1:9/v1"], "--endpoint '127.0.0.1:9/v1'; expected http://HOST"),
        (["--endpoint", "ftp://me:HUSH@host/v1"], "--endpoint 'ftp://MASKED@host/v1'"),
        (["--endpoint", "http://127.0.0.1:9/v1/chat/completions/"], "expected the address without /chat/completions"),
        (["--endpoint", "http:///v1"], "--endpoint 'http:///v1'"),
        (["--endpoint", "http://[::1/v1"], "expected http://HOST"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--timeout", "0"], "a timeout of 0 s"),
        (["--command", "cat", "--timeout", "-1"], "a timeout of -1 s; expected a finite time above 0"),
        (["--command", "cat", "--timeout", "nan"], "a timeout of nan s"),
        (["--command", "cat", "--timeout", "inf"], "a timeout of inf s"),
    ],
)
def test_who_cannot_answer_is_refused_before_the_first_question(who, message, suite, tmp_path, capsys):
    assert run(suite, tmp_path / "r.jsonl", *who) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert (err.count("\n"), err.count("expected")) == (1, 1)
    assert "HUSH" not in err
    assert not (tmp_path / "r.jsonl").exists()
