"""A benchmark records what ran, and does not overwrite the results in the documents with others."""

import argparse
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks import ask, measure, nano, stab
from longpanda.longwatch import Split, generate, read_scene, scene_seed


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser("python -m benchmarks.some")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--blind-scenes", type=int, default=10)
    parser.add_argument("--out", type=Path)
    return parser


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--model runs/a/model",
        "--rounds 7 --blind-scenes 3 --out 'a folder/b.json'",
        "--dtypes float32 bfloat16",
    ],
)
def test_the_recorded_command_is_the_one_that_ran(parser, words):
    ran = measure.command(parser, parser.parse_args(shlex.split(words)))
    assert ran == f"python -m benchmarks.some {words}".strip()


@pytest.mark.parametrize(
    ("whole", "short"), [("52cda4752cda47", "52cda4752cda"), ("52cda4752cda47-dirty", "52cda4752cda+"), (None, None)]
)
def test_the_recorded_commit_is_that_of_training_in_short(whole, short, monkeypatch):
    monkeypatch.setattr("longpanda.provenance.commit", lambda: whole)
    assert measure.machine()["commit"] == short


def test_defaults_are_left_out(parser):
    assert measure.command(parser, parser.parse_args(["--rounds", "5", "--model", "nano"])) == parser.prog


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        (nano, ["--model", "runs/other/model"]),
        (ask, ["--model", "runs/other/model"]),
        (stab, ["--only", "stab"]),
        (stab, ["--only", "stab", "--out", str(stab.RESULTS / "stab_cpu.json")]),
    ],
)
def test_the_shown_result_stands_for_the_default_only(suite, words, monkeypatch, capsys):
    for work in ("generate", "film", "film_missing", "compare"):
        monkeypatch.setattr(suite, work, lambda *_: pytest.fail("it works first"), raising=False)
    monkeypatch.setattr(sys, "argv", ["suite", *words])
    with pytest.raises(SystemExit) as stopped:
        suite.main()
    assert stopped.value.code == 2
    assert f"{words[0]} {words[1]}".replace("--only stab", "--only 'stab'") in (said := capsys.readouterr().err)
    assert "name another file with --out" in said


@pytest.mark.parametrize("suite", [nano, ask])
def test_another_model_may_write_elsewhere(suite, monkeypatch, tmp_path):
    class Started(Exception):
        pass

    def start(*_):
        raise Started

    monkeypatch.setattr(suite, "generate", start)
    monkeypatch.setattr(sys, "argv", ["suite", "--model", "runs/other/model", "--out", str(tmp_path / "other.json")])
    with pytest.raises(Started):
        suite.main()


class TestFilms:
    """`benchmarks.nano.film_missing`: a film is only reused if it is complete and of the same scene."""

    SCENE = generate(scene_seed(Split.DEV, 1), 40.0)

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        made = nano.film
        monkeypatch.setattr(nano, "film", lambda scene, target, fps: made(scene, target, size_px=96, fps=fps))
        nano.film_missing([self.SCENE], tmp_path / "films")
        return tmp_path / "films"

    def touched(self, folder):
        """Whether a second call films again."""
        target = folder / f"{self.SCENE.name}.mp4"
        target.write_bytes(b"old")
        nano.film_missing([self.SCENE], folder)
        assert read_scene(target) == self.SCENE
        return target.read_bytes() != b"old"

    def test_the_same_scene_is_filmed_once(self, folder):
        assert not self.touched(folder)

    @pytest.mark.parametrize("beside", [None, "", "{}", "another"])
    def test_anything_else_is_filmed_again(self, folder, beside):
        path = folder / f"{self.SCENE.name}.json"
        other = generate(scene_seed(Split.DEV, 2), 40.0).to_json()
        path.write_text(other if beside == "another" else beside or "")
        if beside is None:
            path.unlink()
        assert self.touched(folder)

    def test_the_folder_changes_with_the_renderer_and_the_rate(self, monkeypatch):
        before, drawn = nano.look(), nano.render
        assert nano.look() == before
        monkeypatch.setattr(nano, "render", lambda *args: drawn(*args) ^ 1)
        assert nano.look() != before
        monkeypatch.setattr(nano, "render", drawn)
        monkeypatch.setattr(nano, "FPS", 2.0)
        assert nano.look() != before
