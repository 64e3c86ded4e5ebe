"""`longpanda longwatch export`, as a user meets it."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from longpanda.cli.main import main, parser
from longpanda.longwatch import card
from longpanda.longwatch.commands import in_lines, remaking
from longpanda.longwatch.suite import SuitePlan

MAKE = "--minutes 3 --per-cell 3 --seed 5 --size-px 96 --fps 0.25 --families needle --workers 1"


@pytest.fixture(scope="module")
def suites(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    for split in ("dev", "private"):
        assert main(["longwatch", "make", *MAKE.split(), "--split", split, "--out", str(folder / split)]) == 0
    return folder


@pytest.mark.parametrize("split", ["dev", "private"])
def test_it_says_what_it_wrote_and_warns_of_a_private_suite(split, suites, tmp_path, capsys, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra 'export'")
    monkeypatch.setattr(card, "CONSTANT_PAIRS", 20)
    capsys.readouterr()
    assert main(["longwatch", "export", str(suites / split), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "1 video with questions in" in said
    assert f"--include_path {tmp_path / 'out' / 'lmms_eval'} --tasks longwatch" in said
    assert ("private" in said) == (split == "private")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}", "--out", "{tmp}/x"], "longpanda longwatch make"),
        (["{suites}/dev", "--out", "{suites}"], "holds other files"),
        (["{suites}/dev", "--out", "{suites}/dev/x"], "in the suite's folder"),
        (["{suites}/dev", "--out", "{tmp}/x"], "pip install 'longpanda[export]'"),
    ],
)
def test_mistakes_are_one_line(arguments, message, suites, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    capsys.readouterr()
    assert main(["longwatch", "export", *(one.format(tmp=tmp_path, suites=suites) for one in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1, "no bar was drawn"
    assert not list(tmp_path.iterdir())


def test_the_command_on_the_card_makes_the_suite_again(suites, monkeypatch):
    plan = replace(SuitePlan.read(suites / "dev"), minutes=(3.0, 10 / 3), fps=1 / 3)
    made = []
    monkeypatch.setattr("longpanda.longwatch.make.make", lambda plan, *_: made.append(plan) or [])
    words = shlex.split(in_lines(remaking(plan, "suite")).replace("\\\n", " "))[1:]
    options = parser().parse_args(words)
    options.out = Path(suites)
    options.step_run(options)
    assert made == [plan]
