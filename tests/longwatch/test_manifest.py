"""Every step that reads a suite refuses one whose files differ from its manifest, in one line."""

import hashlib
import json
import os
import shutil
import signal

import pytest
from walks import walk

from longpanda.cli.main import main
from longpanda.errors import ConfigError
from longpanda.longwatch import make as making
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.footage import Footage, FootagePlan
from longpanda.longwatch.insert import insert
from longpanda.longwatch.make import make
from longpanda.longwatch.manifest import checked_films, films_of, read_hashes
from longpanda.longwatch.suite import SuitePlan

PLAN = SuitePlan(minutes=(3.0,), families=("needle",), per_cell=2, seed=7, split="dev", size_px=96, fps=0.25)
STEPS = {
    "run": ["--oracle", "--out", "{tmp}/r.jsonl"],
    "verify": [],
    "audit": [],
    "export": ["--out", "{tmp}/exported"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "suite"
    assert len(list(make(PLAN, folder))) == 1
    return folder


@pytest.fixture(scope="module")
def copy_of(made, tmp_path_factory):
    return shutil.copytree(made, tmp_path_factory.mktemp("copy") / "suite")


def test_films_are_held_against_their_hashes_and_so_are_the_reasons_told(made, copy_of):
    names = [f"videos/{entry.name}.mp4" for entry in PLAN.entries]
    assert films_of(read_hashes(made)) == names
    assert list(checked_films(made)) == names
    film = copy_of / names[0]
    film.write_bytes(film.read_bytes()[:-1])
    with pytest.raises(ConfigError, match=r"is changed since it was made; .*'insert', again, or wait"):
        list(checked_films(copy_of, ", or wait"))
    film.unlink()
    with pytest.raises(ConfigError, match="is missing"):
        list(checked_films(copy_of))


@pytest.fixture(scope="module")
def inserted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inserted")
    video = walk(folder / "walk.mp4", "grass", seconds=20)
    plan = FootagePlan((Footage.of(video),), level="flash", families=("needle",), fps=4.0)
    insert(plan, [video], folder / "suite")
    return folder / "suite"


def _questions(suite, text):
    """Replace the questions, and their hash in the manifest."""
    (suite / "questions.jsonl").write_text(text)
    manifest = json.loads((suite / "manifest.json").read_text())
    manifest["sha256"]["questions.jsonl"] = hashlib.sha256(text.encode()).hexdigest()
    (suite / "manifest.json").write_text(json.dumps(manifest))


def _without_films(suite):
    for film in (suite / "videos").glob("*.mp4"):
        film.unlink()


DAMAGES = {
    "changed": (lambda suite: (suite / "questions.jsonl").open("a").write("\n"), "questions.jsonl' is changed since"),
    "lost": (lambda suite: (suite / "questions.jsonl").unlink(), "questions.jsonl' is missing"),
    "no film": (_without_films, ".mp4' is missing; expected every film"),
    "garbage": (lambda suite: _questions(suite, "once upon a time\n"), "holds no questions"),
    "a list": (lambda suite: _questions(suite, "[]\n"), "holds no questions"),
    "half": (lambda suite: _questions(suite, '{"question": "?"}\n'), "holds no questions"),
    "no JSON": (lambda suite: (suite / "manifest.json").write_text("{"), "is no manifest"),
    "no hashes": (lambda suite: (suite / "manifest.json").write_text('{"sha256": []}'), "is no manifest"),
    "numbers": (lambda suite: (suite / "manifest.json").write_text('{"sha256": {"a": 1}}'), "is no manifest"),
    "nothing": (lambda suite: (suite / "manifest.json").write_text("[]"), "is no manifest"),
}


@pytest.mark.parametrize("kind", ["made", "inserted"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_questions_of_a_damaged_suite_are_not_asked(kind, damage, request, tmp_path):
    suite, (spoil, message) = tmp_path / "suite", DAMAGES[damage]
    shutil.copytree(request.getfixturevalue(kind), suite)
    assert read_questions(suite)
    spoil(suite)
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        read_questions(suite)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("damage", ["garbage", "no JSON", "no hashes", "no film"])
def test_every_step_says_so_in_one_line(step, damage, made, tmp_path, capsys):
    suite = tmp_path / "suite"
    shutil.copytree(made, suite)
    DAMAGES[damage][0](suite)
    capsys.readouterr()
    if step == "export":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'export'")
    assert main(["longwatch", step, str(suite), *(word.format(tmp=tmp_path) for word in STEPS[step])]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.count("; expected ") == 1
    assert "unexpected" not in last
    assert not (tmp_path / "r.jsonl").exists()


def _killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "_film", _killed)
    with pytest.raises(ConfigError, match=r"was killed.*fewer --workers"):
        list(make(PLAN, tmp_path / "suite"))
