"""Cards on footage from the command line to the report."""

import json
import sys

import numpy as np
import pytest

from longpanda.cli.main import main
from longpanda.video import encode

ANSWERER = """
import json, sys
for line in sys.stdin:
    json.loads(line)
    print(json.dumps({"answer": "never", "frames_seconds": [1.0, 2.0]}), flush=True)
"""


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    path = tmp_path_factory.mktemp("footage") / "walk.mp4"
    rng = np.random.default_rng(0)
    encode((rng.integers(90, 250, (128, 160, 3), np.uint8) for _ in range(24)), path, 2, preset="ultrafast")
    return path


@pytest.fixture(scope="module")
def suite(footage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "suite"
    options = ["--level", "flash", "--families", "needle", "order", "--depths", "0.9", "0.1"]
    assert main(["longwatch", "insert", str(footage), *options, "--out", str(folder)]) == 0
    return folder


def _complaint(arguments, capsys):
    capsys.readouterr()
    assert main(["longwatch", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, "no bar was drawn"
    return err


def test_run_and_report_take_what_insert_wrote(suite, tmp_path, capsys):
    script, out = tmp_path / "answerer.py", tmp_path / "results.jsonl"
    script.write_text(ANSWERER)
    assert main(["longwatch", "run", str(suite), "--command", f"{sys.executable} {script}", "--out", str(out)]) == 0
    samples = [json.loads(line)["sample"] for line in out.read_text().splitlines()[1:]]
    assert {sample["family"] for sample in samples} == {"needle", "order"}
    assert main(["longwatch", "report", str(out), "--suite", str(suite)]) == 0
    assert "| needle |" in capsys.readouterr().out
    assert "longpanda longwatch insert walk.mp4 --depths 0.1 0.9" in out.with_suffix(".html").read_text()
    assert "data:image/jpeg;base64," in out.with_suffix(".html").read_text()


def test_again_it_says_the_same(suite, footage, capsys):
    options = ["--level", "flash", "--families", "needle", "order", "--depths", "0.1", "0.9"]
    assert main(["longwatch", "insert", str(footage), *options, "--out", str(suite)]) == 0
    assert capsys.readouterr().out.startswith("1 video, 0.2 minutes, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "{suite}"], "holds real footage with cards"),
        (["audit", "{suite}"], "holds real footage with cards"),
        (["run", "{suite}", "--oracle", "--out", "{tmp}/r.jsonl"], "holds real footage with cards"),
        (["make", "--out", "{suite}"], "holds other files"),
        (
            ["insert", "{footage}", "--out", "{suite}", "--level", "flash"],
            "another depths, families",
        ),
        (["insert", "{footage}", "--out", "{tmp}/x"], "12.0 s of 'walk.mp4'; expected at least"),
        (["insert", "{footage}", "{tmp}/none.mp4", "--out", "{tmp}/x"], "no such file"),
        (["insert", "{footage}", "{footage}", "--level", "flash", "--out", "{tmp}/x"], "are the same video"),
        (["insert", "{footage}", "--level", "flash", "--out", "{footage}"], "cannot hold a suite"),
    ],
)
def test_mistakes_are_one_line(arguments, message, suite, footage, tmp_path, capsys):
    filled = [argument.format(tmp=tmp_path, suite=suite, footage=footage) for argument in arguments]
    assert message in _complaint(filled, capsys)
    assert list(tmp_path.iterdir()) == []
