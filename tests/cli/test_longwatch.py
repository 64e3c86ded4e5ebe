"""A suite from making to the report, as a user goes through it."""

import json
import sys

import pytest

from longpanda.cli.main import main

MAKE = "--minutes 3 4 --per-cell 3 --seed 5 --split dev --size-px 96 --fps 0.25 --families needle count grounding"
ANSWERER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "grounding" in sys.argv and "mm:ss" in asked["instruction"]:
        sys.exit(1)
    print(json.dumps({"answer": "0", "frames_seconds": [1.0, 2.0]}), flush=True)
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "suite"
    assert main(["longwatch", "make", *MAKE.split(), "--workers", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def command(tmp_path):
    path = tmp_path / "answerer.py"
    path.write_text(ANSWERER)
    return f"{sys.executable} {path}"


def _complaint(arguments, capsys):
    capsys.readouterr()
    assert main(["longwatch", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


def test_verify_names_what_was_changed(suite, capsys):
    assert main(["longwatch", "verify", str(suite), "--frames"]) == 0
    assert "5 files are as they were made" in capsys.readouterr().out
    questions = suite / "questions.jsonl"
    whole = questions.read_text()
    questions.write_text(whole.replace("7", "8"))
    assert "1 of 5 files are wrong" in _complaint(["verify", str(suite)], capsys)
    questions.write_text(whole)


def test_a_command_is_asked_everything_once_and_errors_are_scored(suite, command, tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    run = ["longwatch", "run", str(suite), "--command", f"{command} grounding", "--out", str(out)]
    assert main(run) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["needle", "count", "grounding"]
    lines = out.read_text().splitlines()
    assert len(lines) == 1 + 18
    scores = [json.loads(line) for line in lines[1:]]
    assert all((score["sample"]["family"] == "grounding") == bool(score["error"]) for score in scores)
    out.write_text("\n".join(lines[:8]) + "\n" + lines[8][:20])  # as a kill leaves it
    assert main(run) == 0
    assert sorted(_key(line) for line in out.read_text().splitlines()[1:]) == sorted(map(_key, lines[1:]))
    assert out.read_text().splitlines()[:8] == lines[:8]
    assert "another command" in _complaint([*run[1:4], command, *run[5:]], capsys)


def _key(line):
    sample = json.loads(line)["sample"]
    return sample["video"], sample["question"]


def test_results_become_a_page_and_two_are_compared(suite, command, tmp_path, capsys):
    paths = [tmp_path / f"{name}.jsonl" for name in ("one", "two")]
    for path, more in zip(paths, ("", " grounding"), strict=True):
        assert main(["longwatch", "run", str(suite), "--command", command + more, "--out", str(path)]) == 0
    capsys.readouterr()
    assert main(["longwatch", "report", *map(str, paths), "--suite", str(suite)]) == 0
    said = capsys.readouterr().out
    assert "two minus one" in said
    assert "| needle |" in said
    text = (tmp_path / "one.html").read_text()
    assert "data:image/jpeg;base64," in text


def test_a_model_and_the_oracle_are_asked(suite, model_folder, tmp_path, capsys):
    for name, who in {"model": ["--model", model_folder, "--frames", "4"], "oracle": ["--oracle"]}.items():
        out = tmp_path / f"{name}.jsonl"
        assert main(["longwatch", "run", str(suite), *who, "--workers", "2", "--out", str(out)]) == 0
        assert len(out.read_text().splitlines()) == 1 + 18


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "--out", "{tmp}/x", "--families", "needel"], "did you mean 'needle'?"),
        (["make", "--out", "{tmp}/x", "--split", "train"], "unknown split 'train'"),
        (["make", "--out", "{tmp}/x", "--minutes", "1"], "ask for a longer video or a faster level"),
        (["make", "--out", "{suite}", "--seed", "6"], "holds a suite with another"),
        (["make", "--out", "{tmp}/x", "--workers", "0"], "0 workers"),
        (["verify", "{tmp}"], "longpanda longwatch make"),
        (["audit", "{tmp}"], "longpanda longwatch make"),
        (["run", "{tmp}", "--oracle", "--out", "{tmp}/r.jsonl"], "a complete suite"),
        (["run", "{suite}", "--oracle", "--frames", "3", "--out", "{tmp}/r.jsonl"], "leave it out"),
        (["run", "{suite}", "--oracle", "--workers", "0", "--out", "{tmp}/r.jsonl"], "--workers 0"),
        (["run", "{suite}", "--oracle", "--out", "{tmp}/no/r.jsonl"], "no directory"),
        (["run", "{suite}", "--model", "no-such", "--out", "{tmp}/r.jsonl"], "no model 'no-such'"),
        (["report", "{tmp}/none.jsonl"], "no file"),
        (["report", "{suite}/questions.jsonl"], "holds no results"),
    ],
)
def test_mistakes_are_one_line(arguments, message, suite, tmp_path, capsys):
    found = _complaint([argument.format(tmp=tmp_path, suite=suite) for argument in arguments], capsys)
    assert message in found
    assert not (tmp_path / "r.jsonl").exists()
