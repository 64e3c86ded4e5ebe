"""A suite from making to the report, as a user goes through it."""

import json
import os
import shlex
import shutil
import sys
from collections import Counter
from dataclasses import replace

import pytest

from longpanda.cli.longwatch import FAMILY_NAMES
from longpanda.cli.longwatch_insert import FOOTAGE_FAMILY_NAMES, SEEDS
from longpanda.cli.main import main, parser
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.answers import clock, interval_in
from longpanda.longwatch.audit import BOUNDED, INVARIANCES, Row
from longpanda.longwatch.deck import FOOTAGE_FAMILIES
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.limits import SCENES_PER_SEED

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
    assert main(["longwatch", "verify", str(suite)]) == 2
    named, last = capsys.readouterr().err.splitlines()
    assert named == "longpanda: questions.jsonl: changed since it was made"
    assert "1 wrong of 5 files; expected" in last
    questions.write_text(whole)


def test_a_command_is_asked_everything_once_and_errors_are_scored(suite, command, tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    run = ["longwatch", "run", str(suite), "--command", f"{command} grounding", "--out", str(out)]
    assert main(run) == 3
    said, complaint = capsys.readouterr()
    assert [line.split()[0] for line in said.splitlines()] == ["needle", "count", "grounding", "6", "6", "next:"]
    assert complaint.splitlines()[-1].startswith("longpanda: 6 of 18 questions without an answer; expected")
    lines = out.read_text().splitlines()
    assert len(lines) == 1 + 18
    scores = [json.loads(line) for line in lines[1:]]
    assert all((score["sample"]["family"] == "grounding") == bool(score["error"]) for score in scores)
    out.write_text("\n".join(lines[:8]) + "\n" + lines[8][:20])  # as a kill leaves it
    assert main(run) == 3
    again = out.read_text().splitlines()
    assert again[:8] == lines[:8]
    assert {_key(line) for line in again[1:]} == {_key(line) for line in lines[1:]}
    twice = [key for key, count in Counter(map(_key, again[1:])).items() if count > 1]
    assert twice == [_key(line) for line in lines[1:8] if json.loads(line)["error"]], "errors alone are asked again"
    assert "command was " in _complaint([*run[1:4], command, *run[5:]], capsys)


def _key(line):
    sample = json.loads(line)["sample"]
    return sample["video"], sample["question"]


def test_results_become_a_page_and_two_are_compared(suite, command, tmp_path, capsys):
    paths = [tmp_path / f"{name}.jsonl" for name in ("one", "two")]
    for path, more, code in zip(paths, ("", " grounding"), (0, 3), strict=True):
        assert main(["longwatch", "run", str(suite), "--command", command + more, "--out", str(path)]) == code
    capsys.readouterr()
    plain = tmp_path / "both.md"
    assert main(["longwatch", "report", *map(str, paths), "--suite", str(suite), "--markdown", str(plain)]) == 0
    said = capsys.readouterr().out
    text = (tmp_path / "one-vs-two.html").read_text()
    assert not (tmp_path / "one.html").exists(), "the page of the first alone has its own name"
    for shown in (said, text, plain.read_text()):
        assert f"{command} grounding minus {command}" in shown.replace("\\", "")
    assert "| needle |" in said
    assert f"Errors: {command} grounding\n\n| kind |" in said
    assert "data:image/jpeg;base64," in text
    assert "6 errors" in text
    commands = [shlex.split(line) for line in plain.read_text().splitlines() if line.startswith("    longpanda")]
    assert [words[2] for words in commands] == ["make", "run", "run", "report"]
    for words in commands:
        parser().parse_args(words[1:])
    assert main([*commands[0][1:]]) == 0, "the suite is that of the command"


def test_of_times_a_report_tells_who_came_near(suite, tmp_path):
    answers = {f"{sample.video} {sample.question}": _inside(sample.target) for sample in read_questions(suite)}
    script, out, plain = (tmp_path / name for name in ("answerer.py", "results.jsonl", "results.md"))
    known = f"answers = {answers!r}\n"
    script.write_text(
        known
        + ANSWERER.replace(
            '"answer": "0"', '"answer": answers[asked["video"].split("/")[-1][:-4] + " " + asked["question"]]'
        )
    )
    assert main(["longwatch", "run", str(suite), "--command", f"{sys.executable} {script}", "--out", str(out)]) == 0
    assert main(["longwatch", "report", str(out), "--markdown", str(plain)]) == 0
    rows = [line.split("|")[2:5] for line in plain.read_text().splitlines() if line.startswith("| grounding |")]
    exact, near, what = next(row for row in rows if "both ends" in row[2])
    assert what.strip() == "both ends within 5 s, or 0.5% of the video"
    assert exact.startswith(" 33.3%"), "what was never shown alone"
    assert near.startswith(" 100.0%")


def _inside(target):
    """Of a time, one whose ends are 5 s off and that covers less than half of it."""
    if (span := interval_in(target)) is None:
        return target
    return f"{clock(span[0] + 5)} - {clock(span[1] - 5)}"


def test_a_report_says_what_it_lacks(suite, command, tmp_path, capsys, monkeypatch):
    out = tmp_path / "results.jsonl"
    assert main(["longwatch", "run", str(suite), "--command", command, "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    out.write_text("\n".join(lines[:-5]) + "\n")
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    assert "Not asked yet: 5 questions of the suite." in out.with_suffix(".html").read_text()
    out.write_text(lines[0] + "\n")
    assert "no answer in" in _complaint(["report", str(out)], capsys)
    assert "3 files of results" in _complaint(["report", *[str(out)] * 3], capsys)
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(lines).replace('"suite_sha256": "', '"suite_sha256": "0') + "\n")
    out.write_text("\n".join(lines) + "\n")
    assert "results on two suites" in _complaint(["report", str(out), str(other)], capsys)
    assert "not on" in _complaint(["report", str(other), "--suite", str(suite)], capsys)
    page = tmp_path / "new.html"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plain, picture = tmp_path / "new.md", tmp_path / "new.png"
    capsys.readouterr()
    asked = ["report", str(out), "--out", str(page), "--markdown", str(plain), "--png", str(picture)]
    assert main(["longwatch", *asked]) == 2
    said, complaint = capsys.readouterr()
    assert f"the page is {page}" in said
    assert "longpanda[plots]" in complaint
    assert (page.exists(), plain.exists(), picture.exists()) == (True, True, False)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        (["--out", "{tmp}/r.jsonl"], "a file of results"),
        (["--markdown", "{tmp}/../{name}/r.jsonl"], "a file of results"),
        (["--png", "{tmp}/link.png"], "a file of results"),
        (["--markdown", "{tmp}/r.html"], "named for another output already"),
        (["--out", "{tmp}/x", "--markdown", "{tmp}/x"], "named for another output already"),
        (["--out", "{suite}/questions.jsonl"], "a file of a suite"),
        (["--png", "{suite}/videos/0000.png"], "a file of a suite"),
    ],
)
def test_a_report_destroys_nothing(written, what, suite, command, tmp_path, capsys):
    out = tmp_path / "r.jsonl"
    assert main(["longwatch", "run", str(suite), "--command", command, "--out", str(out)]) == 0
    (tmp_path / "link.png").symlink_to(out)
    before = {path: path.read_bytes() for path in [*tmp_path.iterdir(), *suite.rglob("*")] if path.is_file()}
    words = [word.format(tmp=tmp_path, name=tmp_path.name, suite=suite) for word in written]
    assert f"is {what}" in _complaint(["report", str(out), *words], capsys)
    assert {p: p.read_bytes() for p in [*tmp_path.iterdir(), *suite.rglob("*")] if p.is_file()} == before


def test_a_page_does_not_tell_the_seed_of_a_private_suite(command, tmp_path):
    folder, out, plain = tmp_path / "suite", tmp_path / "results.jsonl", tmp_path / "results.md"
    plan = "--minutes 3 --per-cell 1 --seed 987654 --split private --size-px 96 --fps 0.25 --families needle"
    assert main(["longwatch", "make", *plan.split(), "--workers", "1", "--out", str(folder)]) == 0
    assert main(["longwatch", "run", str(folder), "--command", command, "--out", str(out)]) == 0
    assert main(["longwatch", "report", str(out), "--suite", str(folder), "--markdown", str(plain)]) == 0
    for text in (out.with_suffix(".html").read_text(), plain.read_text()):
        assert "--seed private --split private" in text
        assert "987654" not in text


def test_a_model_and_the_oracle_are_asked(suite, model_folder, tmp_path, capsys):
    who = {"model": (["--model", model_folder, "--frames", "4"], 3), "oracle": (["--oracle"], 0)}
    for name, (words, code) in who.items():
        out = tmp_path / f"{name}.jsonl"
        assert main(["longwatch", "run", str(suite), *words, "--workers", "2", "--out", str(out)]) == code
        assert len(out.read_text().splitlines()) == 1 + 18
        kinds = {json.loads(line)["error_kind"] for line in out.read_text().splitlines()[1:]}
        assert ("cut" in kinds) == (code == 3), "random weights seldom come to an end"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "--out", "{tmp}/x", "--families", "needel"], "did you mean 'needle'?"),
        (["make", "--out", "{tmp}/x", "--split", "train"], "unknown split 'train'"),
        (["make", "--out", "{tmp}/x", "--split", "private"], "--split private without --seed"),
        (["make", "--out", "{tmp}/x", "--minutes", "1"], "ask for a longer video or a faster level"),
        (["make", "--out", "{tmp}/x", "--minutes", "3", "0.1"], "a video of 6 s (0.1 minutes); expected at least"),
        (["make", "--out", "{tmp}/x", "--minutes", "3", "100000"], "a length of 100,000 minutes; expected more than 0"),
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
        (["report", "{tmp}/bad.jsonl"], "line 2 of"),
    ],
)
def test_mistakes_are_one_line(arguments, message, suite, tmp_path, capsys):
    (tmp_path / "bad.jsonl").write_text('{"version": 1, "configuration": {}}\n{"sample":\n')
    capsys.readouterr()
    assert main(["longwatch", *(argument.format(tmp=tmp_path, suite=suite) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1, "no bar was drawn"
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize("step", ["run", "report"])
def test_a_pipe_or_a_device_is_neither_read_nor_replaced(step, suite, command, tmp_path, capsys):
    out, pipe = tmp_path / "r.jsonl", tmp_path / "pipe"
    os.mkfifo(pipe)
    run = ["longwatch", "run", str(suite), "--command", command, "--out"]
    assert main([*run, str(out)]) == 0
    capsys.readouterr()
    again = run if step == "run" else ["longwatch", "report", str(out), "--out"]
    assert main([*again, str(pipe)]) == 2
    assert f"'{pipe}' is a device or a pipe; expected the name of a file" in capsys.readouterr().err
    assert pipe.is_fifo()


def test_an_audit_says_what_it_does_what_does_not_apply_and_what_to_do(suite, tmp_path, capsys, monkeypatch):
    controls = {control.name: 0.25 for control in BOUNDED}
    row = Row("count", 3.0, 3, 0.2, 0.2, 1.0, controls, {}, broken=("words above chance",))
    monkeypatch.setattr("longpanda.longwatch.audit.audit", lambda _: iter(["0000-3min", row]))
    capsys.readouterr()
    assert main(["longwatch", "audit", str(suite)]) == 2
    out, err = capsys.readouterr()
    assert "nan" not in out
    assert out.splitlines()[1].split()[-5 - len(INVARIANCES) : -4] == [*["-"] * len(INVARIANCES), "100.0%"]
    first, *_, last = err.splitlines()
    assert first == "training the controls that do not see the videos"
    assert last.endswith("make more questions with --per-cell, or report a bug")
    whole = [replace(row, broken=()), replace(row, broken=(), unsure=("bag",))]
    monkeypatch.setattr("longpanda.longwatch.audit.audit", lambda _: iter(whole))
    assert main(["longwatch", "audit", str(suite)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "no bound is broken in 2 rows; 1 with too few questions to tell"


def test_an_audit_refuses_before_a_word_and_overwrites_nothing(suite, tmp_path, capsys):
    kept, broken = tmp_path / "audit.json", tmp_path / "broken"
    kept.write_text("precious")
    shutil.copytree(suite, broken)
    (broken / "questions.jsonl").write_text("")
    for words, message in {
        (broken,): "is changed since it was made",
        (suite, "--out", kept): "audit.json' exists already; expected a new file",
        (suite, "--out", suite / "manifest.json"): "exists already",
        (suite, "--out", tmp_path): "is a directory",
        (suite, "--out", tmp_path / "no" / "audit.json"): "no directory",
    }.items():
        capsys.readouterr()
        assert main(["longwatch", "audit", *map(str, words)]) == 2
        out, err = capsys.readouterr()
        assert message in err
        assert (out, err.count("\n")) == ("", 1)
    assert kept.read_text() == "precious"


def _steps():
    (verbs,) = (action for action in parser()._actions if action.dest == "verb")
    (steps,) = (action for action in verbs.choices["longwatch"]._actions if action.dest == "step")
    return steps.choices


@pytest.mark.parametrize("step", ["make", "insert", "verify", "run", "audit", "report", "export"])
def test_help_tells_every_default_and_what_it_is_for(step):
    assert step in _steps()
    one = _steps()[step]
    either = {action.dest for group in one._mutually_exclusive_groups for action in group._group_actions}
    assert one.description.endswith(".")
    for action in one._actions:
        assert action.help, action.dest
        if action.option_strings and action.nargs != 0 and not action.required and action.dest not in either:
            assert "(default: " in action.help, action.dest


def test_help_names_the_families_that_there_are():
    assert ", ".join(FAMILIES) == FAMILY_NAMES
    assert ", ".join(FOOTAGE_FAMILIES) == FOOTAGE_FAMILY_NAMES
    assert f"0 to {SCENES_PER_SEED - 1}" == SEEDS


def test_refusals_of_make_come_before_anything_is_drawn(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    for options, message in {"--workers 1": "holds other files", "--workers 0": "0 workers"}.items():
        assert main(["longwatch", "make", *MAKE.split(), *options.split(), "--out", str(tmp_path)]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert "filming" not in err
