"""Every mistake of a user: exit code 2, one line on stderr, no traceback."""

import os
import signal
import subprocess
import sys

import pytest

from longpanda.cli.main import main
from longpanda.errors import LongPandaError


def complaint(arguments, capsys):
    """The one line that a mistake prints."""
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("longpanda: ")
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    return err


QUESTION = "Where is the key?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "{none}", QUESTION], "no such file"),
        (["ask", "{folder}", QUESTION], "is a directory"),
        (["ask", "{empty}", QUESTION], "is empty (0 bytes)"),
        (["ask", "{text}", QUESTION], "is no media file that can be read"),
        (["ask", "{sound}", QUESTION], "holds sound but no pictures"),
        (["ask", "{film}", ""], "an empty question"),
        (["ask", "{film}", "  "], "an empty question"),
        (["ask", "{film}", "{film}", QUESTION], "a second file where a question belongs; expected one video, then"),
        (["ask", "{film}", QUESTION, "{text}"], "ask about each video in a call of its own"),
        (["ask", "{film}", "other.mp4", QUESTION], "'other.mp4', which looks like a second file, where a question"),
        (["ask", "{film}", "other.vidx/", QUESTION], "'other.vidx/', which looks like a second file, where a"),
        (["ask", "{film}", QUESTION, "--frames", "0"], "frames=0; expected a whole number of at least 1"),
        (["ask", "{film}", QUESTION, "--frames", "-3"], "frames=-3"),
        (["ask", "{film}", QUESTION, "--frames", "many"], "argument --frames: invalid int value: 'many'"),
        (["ask", "{film}", QUESTION, "--fps", "-1"], "fps=-1.0; expected a positive, finite number"),
        (["ask", "{film}", QUESTION, "--fps", "nan"], "fps=nan"),
        (["ask", "{film}", QUESTION, "--fps", "1", "--frames", "2"], "not allowed with argument"),
        (["ask", "{film}", QUESTION, "--model", "no-such"], "no model 'no-such'"),
        (["ask", "{film}", QUESTION, "--model", "{folder}"], "no config.json in"),
        (["ask", "{film}"], "the following arguments are required: question; try 'longpanda ask --help'"),
        (
            ["ask", "{film}", QUESTION, "--frame-rate", "2"],
            "no option '--frame-rate' of 'longpanda ask'; did you mean '--frames'?",
        ),
        (["probe", "{text}", "--q"], "no option '--q' of 'longpanda probe'; choose one of: --help, --json"),
        (["train", "--", "seed"], "no recipe 'seed'"),
        (["train"], "the following arguments are required: recipe; try 'longpanda train --help'"),
        (["probe", "{none}"], "no such file"),
        (["probe", "{text}"], "is no media file"),
        (["info", "no-such"], "no model 'no-such'"),
        (["demo", "--questions", "0"], "--questions 0; expected at least 1"),
        (["demo", "--model", "no-such"], "no model 'no-such'"),
        (["demo", "--seed", "-1"], "--seed -1; expected 0 or more"),
        (["demo", "--model", "no-such", "--keep", "{folder}"], "is a directory; expected the name of a file"),
        (["demo", "--model", "no-such", "--keep", "{none}/a.mp4"], "no directory"),
        (["demo", "--model", "no-such", "--keep", "a.json"], "a name ending in .mp4"),
        (["train", "nanno"], "no recipe 'nanno'; expected a YAML file or a shipped recipe; did you mean 'nano'?"),
        (["train", "{folder}"], "no recipe"),
        (["train", "{film}"], "is not YAML"),
        (["train", "nano", "sead=3"], "unknown field 'sead'; expected a field of Recipe; did you mean 'seed'?"),
        (["train", "nano", "stages.0.stpes=3"], "did you mean 'steps'?"),
        (["train", "nano", "--out", "{none}", "sead=3"], "did you mean 'seed'?"),
        (["train", "nano", "--out", "{none}", "seed"], "unrecognized arguments: seed"),
        (["train", "nano", "stages.0.data.families=[needel]", "--out", "{none}"], "did you mean 'needle'?"),
        (["akk"], "no verb 'akk'; did you mean 'ask'?"),
        (["akk", "{film}", QUESTION, "--model", "nano"], "no verb 'akk'; did you mean 'ask'?"),
        (["--debug", "longwach", "run", "--model", "index"], "no verb 'longwach'; did you mean 'longwatch'?"),
        ([], "the following arguments are required: VERB"),
        (["--loud"], "the following arguments are required: VERB"),
        (["--loud", "probe", "{film}"], "no option '--loud' of 'longpanda'; choose one of: --debug, --help,"),
        (
            ["--json", "probe", "{film}"],
            "the option '--json' before the verb; expected it after the verb; write 'longpanda probe ... --json'",
        ),
        (["--model", "nano", "ask", "{film}", QUESTION], "write 'longpanda ask ... --model'"),
        (["--frames=3"], "the option '--frames' before the verb; expected it after the verb; write 'longpanda VERB"),
        (["--jsom", "probe", "{film}"], "no option '--jsom' of 'longpanda'; choose one of: --debug, --help,"),
        (["ask", "{film}", "What?", "--tokens=2"], "no option '--tokens' of 'longpanda ask'; did you mean '--answer-"),
        (["ask", "{film}", "What?", "--fsp=2"], "no option '--fsp' of 'longpanda ask'; did you mean '--fps'?"),
        (
            ["longwatch", "make", "--out", "a", "--minuts", "3"],
            "'longpanda longwatch make'; did you mean '--minutes'?",
        ),
        (
            ["train", "nano", "seed=3", "--otu", "{none}"],
            "no option '--otu' of 'longpanda train'; did you mean '--out'?",
        ),
    ],
)
def test_one_line_and_exit_code_2(arguments, message, bad, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert message in complaint([argument.format(**bad) for argument in arguments], capsys)


def test_more_frames_than_memory_holds(film, model_folder, capsys):
    said = complaint(["ask", film, QUESTION, "--model", model_folder, "--fps", "1e9"], capsys)
    assert "fps=1000000000.0 in a video of 4.0 s; expected at most 10,000,000 frames; ask for fewer" in said


@pytest.mark.parametrize("theirs", ["mine.mp4", "mine.json"])
def test_demo_replaces_no_file_of_the_user(theirs, tmp_path, capsys):
    (tmp_path / theirs).write_text("precious")
    said = complaint(["demo", "--model", "no-such", "--keep", str(tmp_path / "mine.mp4")], capsys)
    assert f"{theirs}', not made by LongPanda; expected a new name" in said
    assert (tmp_path / theirs).read_text() == "precious"


def test_of_many_processes_that_refuse_one_says_so(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert main(["probe", "none.mp4"]) == 2
    assert capsys.readouterr().err == ""


def test_a_polite_kill_leaves_through_every_block(bad, monkeypatch, capsys):
    tidied = []

    def killed(_path):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            tidied.append(True)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("longpanda.video.probe", killed)
    try:
        assert main(["probe", bad["film"]]) == 143
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "longpanda: stopped\n"
    assert tidied == [True]


def test_a_line_break_in_a_name_stays_one_line(capsys):
    assert "no such file: 'a b.mp4'" in complaint(["probe", "a\nb.mp4"], capsys)


def test_a_bug_of_ours_is_one_line_too(bad, capsys, monkeypatch):
    def broken(_path):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("longpanda.video.probe", broken)
    assert main(["probe", bad["film"]]) == 1
    _, err = capsys.readouterr()
    assert err.startswith("longpanda: unexpected ZeroDivisionError: division by zero; run again with --debug")
    assert err.count("\n") == 1
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "probe", bad["film"]])


@pytest.mark.parametrize("arguments", [["--debug", "probe", "{none}"], ["probe", "{none}", "--debug"]])
def test_debug_shows_where_it_happened(arguments, bad):
    with pytest.raises(LongPandaError, match="no such file"):
        main([argument.format(**bad) for argument in arguments])


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "longpanda.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


def test_as_a_program(bad):
    quiet, loud = run("probe", bad["text"]), run("--debug", "probe", bad["text"])
    assert (quiet.returncode, quiet.stderr.count("\n")) == (2, 1)
    assert "Traceback" not in quiet.stderr
    assert loud.returncode == 1
    assert "Traceback" in loud.stderr


def test_a_hub_that_is_not_there_is_said_at_once(tmp_path):
    """No retries, no warnings of the hub's client: one line."""
    ran = run("info", "someone/something", HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    assert "no folder 'someone/something', and it cannot be fetched from the hub" in ran.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_is_no_error_of_ours(film, unbuffered):
    """As in `longpanda probe film.mp4 | head -0`."""
    end, start = os.pipe()
    os.close(end)
    ran = subprocess.run(
        [sys.executable, "-m", "longpanda.cli.main", "probe", film],
        stdout=start,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    os.close(start)
    assert (ran.returncode, ran.stderr) == (141, "")
