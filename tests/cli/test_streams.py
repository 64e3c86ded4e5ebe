"""Standard streams that are closed, full, or read by nobody; names of files that are odd; JSON in lines."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest

from longpanda.cli.main import main

SHELL = {"closed output": ">&-", "full output": "> /dev/full", "closed errors": "2>&-", "full errors": "2> /dev/full"}
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


def shell(words, ending="", **environment):
    """The program as a shell starts it: exit code, output and errors, as bytes."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {ending}', "sh", sys.executable, "-m", "longpanda", *words],
        capture_output=True,
        timeout=100,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
    )


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["probe", "{film}"], ["--help"], ["probe", "--help"]], ids=str)
def test_output_that_cannot_be_written_is_one_line(words, unbuffered, film):
    ran = shell([word.format(film=film) for word in words], "> /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"longpanda: standard output cannot be written (No space left on device); expected")
    assert ran.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", [["probe", "{film}"], ["--version"]], ids=str)
def test_output_that_is_closed_is_one_line(words, film):
    ran = shell([word.format(film=film) for word in words], ">&-")
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)
    assert ran.stderr.startswith(b"longpanda: standard output is closed; expected an open one; redirect it")


@needs_full
@pytest.mark.parametrize("ending", ["2>&-", "2> /dev/full", "<&- 2>&-"])
def test_errors_that_nobody_can_be_told_change_no_exit_code_and_get_into_no_output(ending, film):
    ran = shell(["probe", "no-such.mp4"], ending)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, b"", b"")
    ran = shell(["probe", film], ending)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"duration_seconds" in ran.stdout


def test_chat_without_input_says_so_before_a_model_is_loaded(film):
    ran = shell(["chat", film, "--model", "no-such"], "<&-")
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"longpanda: standard input is closed; expected questions, typed or from a pipe;")


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    """What a library prints would go into it."""
    (tmp_path / "mine").write_text("precious")
    code = (
        "import os, sys; from longpanda.cli import streams; streams.prepare()\n"
        "file = open('mine', 'r+'); print(file.fileno(), file=file); os.write(1, b'noise'); os.write(2, b'noise')"
    )
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    assert int((tmp_path / "mine").read_text().split("\n")[0]) > 2, "and of what was printed nothing is in it"
    assert "noise" not in (tmp_path / "mine").read_text()


@pytest.mark.parametrize("name", ["two words.mp4", "line\nbreak.mp4", "caf\udce9.mp4", "日本.mp4", "a:b.mp4"])
def test_a_name_is_any_bytes(name, film, tmp_path):
    path = tmp_path / name
    shutil.copy(film, path)
    ran = shell(["probe", path])
    assert ran.returncode == 0, ran.stderr
    assert os.fsencode(path) in ran.stdout
    assert json.loads(shell(["probe", path, "--json"]).stdout)["path"] == str(path)
    ran = shell(["probe", tmp_path / f"no {name}"])
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)
    assert b"no such file: " in ran.stderr


def test_a_name_that_looks_like_an_option_is_refused_with_the_way_to_write_it(film, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(film, "-dash.mp4")
    for words in (["probe", "-dash.mp4"], ["ask", "-dash.mp4", "Where is the key?"], ["chat", "-dash.mp4"]):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert "the file '-dash.mp4', whose name looks like an option" in err
        assert err.endswith("; write ./-dash.mp4\n")
    (tmp_path / "--json").touch()
    assert main(["probe", "./-dash.mp4", "--json"]) == 0, "an option stays one"
    assert main(["probe", "--", "-dash.mp4"]) == 0


@pytest.mark.parametrize("name", ["fifo.mp4", "folder.mp4", "empty.mp4"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(name, tmp_path, capsys):
    path = tmp_path / name
    {"fifo.mp4": os.mkfifo, "folder.mp4": os.mkdir, "empty.mp4": os.mknod}[name](path)
    assert main(["ask", str(path), "Where is the key?", "--model", "no-such"]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), err.count("; expected ")) == (1, 1)


def test_every_json_is_one_object_a_line(film, model_folder, tmp_path, capsys):
    index = ["index", film, "--fps", "1", "--model", model_folder, "--out", str(tmp_path / "film.vidx"), "--json"]
    for words in (
        ["probe", film, "--json"],
        ["info", model_folder, "--json"],
        [*index, "--plan"],
        index,
        ["ask", film, "Where is the key?", "--model", model_folder, "--json"],
        ["ask", film, "Where is the key?", "And the ball?", "--model", model_folder, "--json", "--explain"],
    ):
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == (2 if "And the ball?" in words else 1)
        assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (errno.ENOSPC, 2, "'a.json' cannot be written (No space left on device); expected free space; make room"),
        (errno.EFBIG, 2, "'a.json' cannot be written (File too large)"),
        (errno.EACCES, 2, "'a.json' cannot be used (Permission denied)"),
        (errno.ECHILD, 1, "unexpected ChildProcessError"),
    ],
)
def test_what_the_system_refuses_is_no_bug(number, code, message, film, monkeypatch, capsys):
    def refused(_path):
        raise OSError(number, os.strerror(number), "a.json")

    monkeypatch.setattr("longpanda.video.probe", refused)
    assert main(["probe", film]) == code
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err


def test_no_memory_is_no_bug(film, monkeypatch, capsys):
    import torch

    for kind in (MemoryError, torch.OutOfMemoryError):
        monkeypatch.setattr("longpanda.video.probe", _raising(kind("CUDA out of memory. Tried to allocate\n2 GiB")))
        assert main(["probe", film]) == 2
        assert capsys.readouterr().err.startswith("longpanda: out of memory; expected more memory on this device; ")


def _raising(error):
    def raises(*_args, **_kwargs):
        raise error

    return raises
