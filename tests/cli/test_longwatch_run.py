"""`longpanda longwatch run`: with options, with secrets, beside another run, interrupted, and with the example."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longpanda.cli.main import main
from longpanda.evaluate import read_notes, read_records

EXAMPLE = Path(__file__).parents[2] / "examples" / "answerer.py"
MAKE = "--minutes 3 --per-cell 2 --seed 6 --split dev --size-px 96 --fps 0.5 --families count state needle"
LETTER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    assert "B. " in asked["question"] and asked["instruction"] == ""
    print(json.dumps({"answer": "b"}), flush=True)
"""
SLOW = """
import json, sys, time
for number, line in enumerate(sys.stdin):
    if number == 3:
        time.sleep(600)
    print(json.dumps({"answer": "never"}), flush=True)
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "suite"
    assert main(["longwatch", "make", *MAKE.split(), "--workers", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def program(tmp_path):
    """A command that runs some code."""

    def write(code):
        path = tmp_path / "program.py"
        path.write_text(code)
        return f"{sys.executable} {path}"

    return write


def _run(suite, out, *more):
    return main(["longwatch", "run", str(suite), "--out", str(out), *more])


def test_options_are_asked_in_every_rotation_and_reported(suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(LETTER)
    assert _run(suite, out, "--choices", "--command", command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("count      20.0% [")
    assert "right in all rotations: 0.0% [0.0%" in said[0]
    configuration, scores = read_records(out)
    assert configuration["choices"] is True
    assert len(scores) == 2 * 5 + (3 + 4) + 2 * 8, "both counts, where something is and was, both needles"
    assert _run(suite, out, "--command", command) == 2
    assert "another choices" in capsys.readouterr().err
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert "| needle | 3 min | 8 | 12.5% [" in said
    assert "| B | 100.0% |" in said
    assert "B. " in out.with_suffix(".html").read_text()


def test_results_begun_without_options_do_not_go_on_with_them(suite, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert _run(suite, out, "--oracle") == 0
    assert _run(suite, out, "--oracle", "--choices") == 2
    assert "another choices" in capsys.readouterr().err


def test_the_oracle_and_a_model_read_options(suite, model_folder, tmp_path):
    assert _run(suite, tmp_path / "oracle.jsonl", "--oracle", "--choices") == 0
    configuration, scores = read_records(tmp_path / "oracle.jsonl")
    assert configuration["oracle"]
    assert all(len(score.reply.text) == 1 for score in scores)
    assert sum(score.value for score in scores) > 0.8 * len(scores), "all but what 96 px do not show"
    assert _run(suite, tmp_path / "model.jsonl", "--model", model_folder, "--frames", "2", "--choices") == 0
    assert not [score.error for score in read_records(tmp_path / "model.jsonl")[1] if score.error]


def test_the_example_counts_what_the_lamp_does(suite, tmp_path):
    assert _run(suite, tmp_path / "r.jsonl", "--command", f"{sys.executable} {EXAMPLE}") == 0
    _, scores = read_records(tmp_path / "r.jsonl")
    assert not [score.error for score in scores if score.error]
    lamps = [score.value for score in scores if "lamp" in score.sample.question]
    assert lamps == [1.0] * len(lamps) != []


def test_secrets_are_stored_nowhere_and_new_ones_go_on(suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(SLOW.replace("600", "0"))
    for secret in ("HUSH1", "HUSH2"):
        assert _run(suite, out, "--command", f"env API_KEY={secret} {command} --token {secret}") == 0
    assert main(["longwatch", "report", str(out)]) == 0
    assert "HUSH" not in out.read_text() + out.with_suffix(".html").read_text() + capsys.readouterr().out
    assert "--token MASKED" in read_records(out)[0]["command"]
    assert _run(suite, out, "--command", command) == 2


def test_an_endpoint_is_stored_with_its_frames_and_without_its_key(suite, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert _run(suite, out, "--endpoint", "http://me:HUSH@127.0.0.1:9/v1?key=HUSH") == 0
    assert "HUSH" not in out.read_text()
    configuration = read_records(out)[0]
    assert (configuration["endpoint"], configuration["frames"]) == ("http://MASKED@127.0.0.1:9/v1?key=MASKED", 64)


def test_a_model_is_its_files_wherever_they_are(suite, model_folder, tmp_path, capsys):
    import shutil

    moved, out = tmp_path / "elsewhere" / Path(model_folder).name, tmp_path / "r.jsonl"
    shutil.copytree(model_folder, moved)
    model = ["--frames", "2", "--model"]
    assert _run(suite, out, *model, model_folder) == 0
    assert _run(suite, out, *model, str(moved), "--workers", "2") == 0
    assert str(moved.parent) not in out.read_text()
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps(config | {"notice": "changed"}))
    assert _run(suite, out, *model, str(moved)) == 2
    assert "another model_sha256" in capsys.readouterr().err


def test_the_circumstances_are_noted_and_may_change(suite, program, tmp_path):
    out, command = tmp_path / "r.jsonl", program(SLOW.replace("600", "0"))
    for timeout in ("50", "60"):
        assert _run(suite, out, "--command", command, "--timeout", timeout) == 0
    first, second = read_notes(out)
    assert {"commit", "platform", "python"} <= {*first}
    assert (first["timeout_seconds"], second["timeout_seconds"]) == (50.0, 60.0)


@pytest.mark.parametrize(("command", "message"), [("python 'x", "with a mistake"), ("", "an empty"), (" ", "an empty")])
def test_a_command_that_is_none_is_refused(suite, tmp_path, capsys, command, message):
    assert _run(suite, tmp_path / "r.jsonl", "--command", command) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.jsonl").exists()


def test_ctrl_c_ends_at_once_and_keeps_what_is_finished(suite, program, tmp_path, capsys):
    out, command = tmp_path / "r.jsonl", program(SLOW)
    words = [sys.executable, "-m", "longpanda.cli.main", "longwatch", "run", str(suite)]
    running = subprocess.Popen([*words, "--out", str(out), "--command", command], stderr=subprocess.PIPE, text=True)
    while not out.exists() or len(out.read_bytes().splitlines()) < 1 + 3:
        assert running.poll() is None
    assert _run(suite, out, "--command", command) == 2
    assert "another process is writing" in capsys.readouterr().err.splitlines()[-1]
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=100)[1].endswith("longpanda: stopped\n")
    assert running.returncode == 130
    assert len(read_records(out)[1]) == 3
    assert _run(suite, out, "--command", program(SLOW.replace("600", "0"))) == 0
    assert len(read_records(out)[1]) == 6
