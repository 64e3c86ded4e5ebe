"""Help: examples that parse, exit codes as documented, recipes with their fields, and completion by shells."""

import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from longpanda.cli import ending
from longpanda.cli.examples import EXAMPLES
from longpanda.cli.main import main, parser
from longpanda.cli.recipes import fields, recipes
from longpanda.cli.shell_completion import parsers
from longpanda.train.data_kinds import DATA_KINDS
from longpanda.train.recipe import find_recipe, load_recipe

PAGE = Path(__file__).parents[2] / "docs" / "command_line.md"


def test_every_help_has_examples_that_parse(capsys):
    shown = {one.prog.removeprefix("longpanda").strip(): one.format_help() for one in parsers(parser())}
    assert shown.keys() == EXAMPLES.keys()
    for words, text in shown.items():
        _, _, listed = text.partition("\nexamples:\n")
        commands = listed.strip().splitlines()
        assert commands, words
        for command in commands:
            given = shlex.split(re.split(r" [<>] ", command)[0])
            given = given[given.index("longpanda") + 1 :]
            if given[-1] == "--fields" or "--print-completion" in given:
                with pytest.raises(SystemExit) as ended:
                    parser().parse_args(given)
                assert not ended.value.code
            else:
                parser().parse_args(given)


@pytest.mark.parametrize("verb", ["ask", "chat", "index", "demo", "train", "longwatch run"])
def test_every_verb_that_runs_a_model_has_a_device_and_a_format(verb, capsys):
    with pytest.raises(SystemExit):
        main([*verb.split(), "--help"])
    out = capsys.readouterr().out
    assert "--device" in out
    assert "--dtype" in out


def test_exit_codes_are_the_same_in_help_and_on_the_page():
    helped = dict(re.findall(r"^  (\d+) +(.+)$", parser().format_help(), re.MULTILINE))
    assert helped == {str(int(code)): said for code, said in ending.CODES.items()}
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert rows.keys() == helped.keys() == {str(int(code)) for code in ending.Code}


def test_help_of_train_lists_recipes_and_fields(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "nano          Trains the bundled model from scratch on generated scenes\n" in out
    names = re.sub(r"\s+", " ", out)
    assert all(f" {field.path}" in names for field in fields())
    assert {*recipes()} == {path.stem for path in find_recipe("nano").parent.glob("*.yaml")}
    assert all(len(about) > 20 for about in recipes().values())


def test_every_field_is_explained_and_can_be_overridden(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--fields"])
    out = capsys.readouterr().out
    assert not ended.value.code
    assert "stages.N.steps (int; required)\n  optimiser steps.\n" in out
    assert "stages.N.data.kind (one of longwatch, annotations; required)\n" in out
    assert "stages.N.data.questions (int; default 6)\n  longwatch: most questions per clip and family.\n" in out
    assert "stages.N.objectives.M.weight (float; default 1.0)\n  factor on the loss" in out
    assert "model.backbone (str; default '')\n" in out
    assert "Raises" not in out
    assert "seed (int; default 0)\n  seed of the initial weights.\n" in out
    assert all(field.about for field in fields())
    plain = {"int": "1", "float": "0.5", "bool": "true"}
    mine = [field for field in fields() if field.kind in plain and not field.about.startswith("annotations:")]
    given = {field.path.replace("N", "0"): plain[field.kind] for field in mine}
    given = {path: value for path, value in given.items() if ".objectives.M." not in path}  # nano names none
    load_recipe("nano", [f"{path}={value}" for path, value in given.items() if path != "stages.0.decay"])


@dataclasses.dataclass(frozen=True)
class OtherData:
    """Another kind of data that shares a field's name.

    Args:
        frames: how many frames a clip of it has.
    """

    frames: int = 3
    kind: str = dataclasses.field(default="other", init=False)


def test_help_of_train_names_a_field_of_two_kinds_of_data_once(capsys, monkeypatch):
    monkeypatch.setitem(DATA_KINDS, "other", OtherData)
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert len(re.findall(r"\bstages\.N\.data\.frames(?![.\w])", capsys.readouterr().out)) == 1
    with pytest.raises(SystemExit):
        main(["train", "--fields"])
    out = capsys.readouterr().out
    assert re.findall(r"^stages\.N\.data\.frames .*\n  (\w+):", out, re.MULTILINE) == ["longwatch", "other"]


def completed(script, *words):
    """What bash would offer for the last of some words."""
    array = " ".join(map(shlex.quote, words))
    asked = f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _shtab_longpanda"
    code = f"{script}\n{asked}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_bash_completes_verbs_steps_options_and_files(capsys, tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "bash"])
    assert not ended.value.code
    script = capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").touch()
    assert completed(script, "longpanda", "as") == ["ask"]
    assert {*completed(script, "longpanda", "longwatch", "re")} == {"report"}
    assert {*completed(script, "longpanda", "index", "--d")} >= {"--device", "--dtype"}
    assert completed(script, "longpanda", "probe", "fi") == ["film.mp4"]


def test_a_shell_that_is_not_known_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "ksh"])
    assert ended.value.code == 2
    assert "no completion for 'ksh'; expected one of bash, zsh, tcsh, fish" in capsys.readouterr().err


def test_the_package_is_a_program(film):
    ran = subprocess.run([sys.executable, "-m", "longpanda", "probe", film], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("path ")
    ran = subprocess.run([sys.executable, "-m", "longpanda"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
