import json
import os
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import card
from longpanda.longwatch import export as module
from longpanda.longwatch.export import export
from longpanda.longwatch.folder import read_questions
from longpanda.longwatch.make import make
from longpanda.longwatch.rows import sample_of
from longpanda.longwatch.suite import SuitePlan

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: the extra 'export'")

PLAN = SuitePlan(
    minutes=(3.0, 4.0), families=("needle", "count"), per_cell=3, seed=11, split="dev", size_px=96, fps=0.25
)
FILMS = [f"videos/{entry.name}.mp4" for entry in PLAN.entries]


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch):
    monkeypatch.setattr(card, "CONSTANT_PAIRS", 20)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "here"
    list(make(PLAN, folder))
    return folder


@pytest.fixture
def suite(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "suite")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_export_holds_every_question_and_film_and_no_record_of_a_scene(made, out):
    assert list(export(made, out)) == FILMS
    rows = parquet.read_table(out / "data" / "questions.parquet").to_pylist()
    assert [sample_of(row) for row in rows] == read_questions(made)
    assert Counter(f"videos/{row['video']}" for row in rows).keys() == set(FILMS)
    tasks = {f"lmms_eval/{name}" for name in ("utils.py", "_shared", "longwatch.yaml")}
    tasks |= {f"lmms_eval/longwatch_{family}.yaml" for family in PLAN.families}
    assert set(_files(out)) == {"README.md", "data/questions.parquet", "export.json", *tasks, *FILMS}
    assert all(os.path.samefile(made / name, out / name) for name in FILMS)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_films_are_copied_where_they_cannot_be_linked(made, out, monkeypatch):
    monkeypatch.setattr(os, "link", _refuse)
    list(export(made, out))
    for name in FILMS:
        assert (out / name).read_bytes() == (made / name).read_bytes()
        assert not os.path.samefile(made / name, out / name)


def _refuse(*_):
    raise OSError("another device")


def test_it_appears_whole_and_is_gone_on_with(made, out, tmp_path, monkeypatch):
    list(export(made, tmp_path / "whole"))
    monkeypatch.setattr(os, "link", _refuse)  # a copy shows whether it was made again
    stopped = export(made, out)
    next(stopped)
    stopped.close()
    assert not out.exists()
    begun = tmp_path / ".out.longpanda-export"
    before = (begun / FILMS[0]).stat().st_mtime_ns
    for name in (f"videos/.{PLAN.entries[1].name}.mp4.x", "videos/of-another-suite.mp4"):
        (begun / name).write_text("half")
    list(export(made, out))
    assert (out / FILMS[0]).stat().st_mtime_ns == before
    assert _files(out) == _files(tmp_path / "whole")
    assert not begun.exists()


def test_again_it_changes_nothing_and_checks_everything(made, out):
    out.mkdir()  # an empty folder is as good as none
    list(export(made, out))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert list(export(made, out)) == FILMS
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    (out / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"README.md' is changed since it was exported"):
        list(export(made, out))
    assert (out / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda suite: (suite / "manifest.json").unlink(), "expected a complete suite"),
        (lambda suite: (suite / "suite.json").unlink(), "longpanda longwatch make"),
        (lambda suite: (suite / "manifest.json").write_text("{}"), "is no manifest"),
        (lambda suite: (suite / FILMS[1]).unlink(), "is missing"),
        (lambda suite: (suite / FILMS[1]).write_bytes(b"cut"), "is changed since it was made"),
        (lambda suite: (suite / "questions.jsonl").write_text(""), "is changed since it was made"),
    ],
)
def test_what_is_no_whole_suite_is_not_exported(suite, out, spoil, message):
    spoil(suite)
    with pytest.raises(ConfigError, match=message):
        list(export(suite, out))
    assert not out.exists()


def test_other_files_are_refused_and_kept(made, out):
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    with pytest.raises(ConfigError, match="holds other files"):
        list(export(made, out))
    with pytest.raises(ConfigError, match="is a file"):
        list(export(made, out / "thesis.tex"))
    with pytest.raises(ConfigError, match="cannot be written"):
        list(export(made, out / "thesis.tex" / "in"))
    assert _files(out) == {"thesis.tex": b"precious"}


def test_a_folder_holds_one_export(made, out, tmp_path, monkeypatch):
    list(export(made, out))
    before = _files(out)
    other = tmp_path / "other"
    list(make(replace(PLAN, seed=12, minutes=(3.0,)), other))
    with pytest.raises(ConfigError, match="another suite_sha256"):
        list(export(other, out))
    monkeypatch.setattr(module, "__version__", "9.9")
    with pytest.raises(ConfigError, match="another longpanda"):
        list(export(made, out))
    assert _files(out) == before
    (out / "export.json").write_text(json.dumps(["no record"]))
    with pytest.raises(ConfigError, match="no record of an export"):
        list(export(made, out))


@pytest.mark.parametrize("inside", [".", "videos/data", "export"])
def test_the_suites_own_folder_is_no_place_for_it(suite, inside):
    before = _files(suite)
    with pytest.raises(ConfigError, match="in the suite's folder"):
        list(export(suite, suite / inside))
    assert _files(suite) == before
