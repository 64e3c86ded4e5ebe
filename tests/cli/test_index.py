"""`longpanda index`, `ask` and `chat` on an index, as they are typed."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import scenery

from longpanda.cli.main import main
from longpanda.inference import Session
from longpanda.inference.prefix import PrefixCache
from longpanda.video import encode

QUESTION = "What number is on the red circle?"


@pytest.fixture(scope="module")
def long_film(tmp_path_factory) -> Path:
    """A minute: ten blocks at ten frames a second."""
    path = tmp_path_factory.mktemp("films") / "long.mp4"
    encode(scenery(60), path, 10, preset="ultrafast", gop=20)
    return path


@pytest.fixture(scope="module")
def index(film, model_folder, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("indexes") / "film.vidx"
    assert main(["index", film, "--out", str(out), "--fps", "5", "--model", model_folder]) == 0
    return str(out)


def tensors(index: Path) -> dict[str, bytes]:
    """All that was written, but for the random id."""
    return {
        f"{path.name} {name}": tensor.flatten().view(torch.uint8).numpy().tobytes()
        for path in index.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def test_index_predicts_and_reports(film, model_folder, tmp_path, capsys):
    out = str(tmp_path / "my film.vidx")
    command = ["index", film, "--out", out, "--fps", "5", "--model", model_folder, "--storage", "int8"]
    assert main(command) == 0
    first, last, hint = capsys.readouterr().out.splitlines()
    assert first == "0.1 min at 5 fps: 20 frames, 140 tokens, 0.0 MiB as int8, about 0.0 MiB with thumbnails"
    assert last.startswith(f"{out}: 20 frames, 140 tokens, ")
    assert hint == f"longpanda ask '{out}' QUESTION", "it can be pasted into a shell"
    assert main([*command, "--append"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{last}; nothing left to do"


def test_index_beside_the_video_and_as_json(film, model_folder, tmp_path, capsys):
    video = tmp_path / "mine.mp4"
    shutil.copy(film, video)
    assert main(["index", str(video), "--fps", "5", "--model", model_folder, "--plan", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["frames"], planned["tokens"], planned["token_bytes"]) == (20, 140, 140 * 32 * 2)
    assert not (tmp_path / "mine.vidx").exists()
    assert main(["index", str(video), "--fps", "5", "--model", model_folder, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["index"] == str(tmp_path / "mine.vidx")
    assert made["frames_missing"] == 0
    assert made["tokens"] == planned["tokens"]
    assert made["bytes"] == sum(path.stat().st_size for path in (tmp_path / "mine.vidx").iterdir())


def test_index_says_what_is_odd_about_a_file(film, model_folder, tmp_path, capsys):
    twice = tmp_path / "twice.ts"
    with av.open(film) as source, av.open(stream := io.BytesIO(), "w", format="mpegts") as target:
        copied = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
        target.close()
        twice.write_bytes(stream.getvalue() * 2)
    command = ["index", str(twice), "--fps", "5", "--model", model_folder]
    assert main(command) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "clock" in line]
    assert notes == [notes[0]]
    assert notes[0].startswith("note: ")
    assert main([*command, "--json"]) == 0
    said, complaint = capsys.readouterr()
    assert f"note: {json.loads(said)['notice']}" == notes[0]
    assert "clock" not in complaint


def test_an_index_is_asked_like_a_video(film, index, model_folder, capsys):
    answers = []
    for what in ([index], [film, "--fps", "5"]):
        assert main(["ask", *what[:1], QUESTION, *what[1:], "--model", model_folder, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert set(answers[0]["timings"]) == {"open_index", "generate"}
    for key in ("visual_tokens", "video"):
        one, other = (dict(answer[key], path="") if key == "video" else answer[key] for answer in answers)
        assert one == other


def test_ask_says_what_it_looks_at_where_and_whether_that_is_why(index, model_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(PrefixCache, "effects", lambda _, ids, answered, counts: np.eye(len(counts))[2] * 5)  # noqa: ARG005
    pictures = tmp_path / "pictures"
    options = ["--explain", "--verify", "--thumbnails", str(pictures), "--budget", "100"]
    assert main(["ask", index, QUESTION, "Where is the key?", "--model", model_folder, *options]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("20 frames, one every 0.2 s, 11 of 20 groups of 7 tokens: 77 visual tokens, 99 with ")
    assert said.err.splitlines()[0].endswith("of 100 (a budget of 100 tokens)")
    verdicts = re.findall(r"^evidence \((.+ )?supported, (.+ )?necessary\): 00:00-00:01 \(100%\)$", said.out, re.M)
    assert len(verdicts) == said.out.count("from the evidence alone: ") == 2
    assert said.out.count("(not a whole answer)") == said.out.count("unknown whether")
    names = sorted(path.name for path in pictures.iterdir())
    assert {name[:4] for name in names} >= {"01-1", "02-1"}
    assert (pictures / names[0]).read_bytes()[:2] == b"\xff\xd8"
    assert main(["ask", index, QUESTION, "--model", model_folder, "--thumbnails", str(pictures)]) == 2
    assert "which holds files already; expected a new or empty folder" in capsys.readouterr().err


def test_the_verdict_is_in_json_and_so_is_that_nothing_stands_out(index, model_folder, capsys, monkeypatch):
    command = ["ask", index, QUESTION, "--model", model_folder, "--verify"]
    monkeypatch.setattr(PrefixCache, "effects", lambda _, ids, answered, counts: np.eye(len(counts))[2] * 5)  # noqa: ARG005
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    checked = answer["verification"]
    assert len(answer["evidence"]) == 1
    words = {True: "supported", False: "not supported", None: "unknown whether supported"}
    assert checked["verdict"].startswith(words[checked["is_supported"]] + ", ")
    monkeypatch.setattr(PrefixCache, "effects", lambda _, ids, answered, counts: np.ones(len(counts)))  # noqa: ARG005
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "\nevidence" not in said
    assert "note: No part of the video stands out as the reason for this answer. " in said


def test_a_prefix_is_kept_when_asked_for(index, model_folder, capsys):
    kept = Path(index) / "prefix.safetensors"
    assert main(["ask", index, QUESTION, "--model", model_folder]) == 0
    assert not kept.exists()
    first = capsys.readouterr().out.splitlines()[0]
    assert main(["ask", index, QUESTION, "--model", model_folder, "--keep-prefix"]) == 0
    assert "kept" in capsys.readouterr().err
    before = kept.stat().st_mtime_ns
    assert main(["ask", index, QUESTION, "--model", model_folder, "--keep-prefix"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == first
    assert kept.stat().st_mtime_ns == before


def test_a_damaged_prefix_is_computed_again(index, model_folder, tmp_path, capsys):
    kept = shutil.copytree(index, tmp_path / "film.vidx") / "prefix.safetensors"
    command = ["ask", str(kept.parent), QUESTION, "--model", model_folder]
    assert main([*command, "--keep-prefix"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    kept.write_bytes(kept.read_bytes()[:-10])
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == first
    assert "is damaged" in said.err
    assert main([*command, "--keep-prefix"]) == 0
    assert f"kept {kept}" in capsys.readouterr().err
    assert main(command) == 0
    assert not capsys.readouterr().err


def test_an_index_is_asked_with_the_model_that_made_it(film, index, model_folder, tmp_path, capsys):
    """It is the model folder's; without that, and without an index, it would be nano-long's."""
    assert main(["ask", index, QUESTION]) == 0
    assert f"model {model_folder}" in capsys.readouterr().out
    assert main(["index", film, "--out", index, "--append"]) == 0
    assert "nothing left to do" in capsys.readouterr().out
    talk = subprocess.run(
        [sys.executable, "-m", "longpanda.cli.main", "chat", index, "--forget"],
        input=f"{QUESTION}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert talk.stdout
    assert main(["index", film, "--out", str(tmp_path / "new.vidx"), "--append"]) == 0
    assert "new.vidx' to append to; a new one is begun" in capsys.readouterr().err
    assert json.loads((tmp_path / "new.vidx" / "header.json").read_text())["model"] == "nano-long"


def test_chat_builds_on_what_was_said_where_the_model_was_taught_that(
    index, model_folder, tmp_path, capsys, monkeypatch
):
    said = []

    def ask(session, question, history):
        said.append((question, list(history)))
        return SimpleNamespace(text="yes", notice="")

    talk = ["Where is the key?", "And now?", "Where is the ball?"]
    single = shutil.copytree(model_folder, tmp_path / "single")
    config = json.loads((single / "config.json").read_text())
    (single / "config.json").write_text(json.dumps(config | {"single_turn": True}))
    monkeypatch.setattr(Session, "ask", ask)
    for model, words, expected in (
        (model_folder, [], [0, 1, 2]),
        (model_folder, ["--forget"], [0, 0, 0]),
        (single, [], [0, 0, 0]),
    ):
        said.clear()
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(talk)))
        assert main(["chat", index, "--model", str(model), *words]) == 0
        assert [question for question, _ in said] == talk
        assert [len(history) for _, history in said] == expected
        assert ("single was trained on single questions" in capsys.readouterr().err) == (model == single)


def test_a_rate_may_be_given_as_it_was_shown(film, model_folder, tmp_path, capsys):
    command = ["index", film, "--out", str(tmp_path / "film.vidx"), "--model", model_folder]
    assert main([*command, "--fps", "1.3333333"]) == 0
    assert "at 1.33 fps" in capsys.readouterr().out
    assert main([*command, "--fps", "1.33"]) == 0
    assert "nothing left to do" in capsys.readouterr().out
    assert main([*command, "--fps", "1.34"]) == 2


def test_bytes_that_are_no_text_are_no_question(index, model_folder):
    command = [sys.executable, "-m", "longpanda.cli.main", "chat", index, "--model", model_folder]
    talk = b"\xe9t\xe9?\nWhere is the ball?\n"
    ran = subprocess.run(command, input=talk, capture_output=True, check=True, env=os.environ | {"PYTHONUTF8": "1"})
    assert len(ran.stdout.splitlines()) == 1
    assert b"a question that is not valid Unicode; expected text in UTF-8" in ran.stderr


def test_pictures_that_cannot_be_written_are_refused_before_the_work(index, model_folder, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file" / "pictures", tmp_path / "none" / "pictures"):
        assert main(["ask", index, QUESTION, "--model", "no-such", "--thumbnails", str(folder)]) == 2
        assert "cannot be made or read as a folder" in capsys.readouterr().err


def test_chat_reads_questions_from_a_pipe(index, model_folder):
    command = [sys.executable, "-m", "longpanda.cli.main", "chat", index, "--model", model_folder]
    talk = "Where is the key?\n\nWhere is the ball?\nexit\nnever asked\n"
    ran = subprocess.run(command, input=talk, capture_output=True, text=True, check=True)
    assert len(ran.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "{film}", "--fps", "0"], "fps=0.0; expected a positive"),
        (
            ["index", "{film}", "--storage", "int4"],
            "storage 'int4'; expected one of float32, bfloat16, int8; did you mean 'int8'?",
        ),
        (["index", "{folder}", "--fps", "1"], "is a directory; expected a video file"),
        (["ask", "{index}", "Where is the key?", "--frames", "3"], "a choice of frames for an index"),
        (["ask", "{index}", "Where is the key?", "--budget", "3"], "a budget of 3 tokens: room for 3 visual tokens"),
        (["ask", "{film}", "Where is the key?", "--keep-prefix"], "--keep-prefix with a video; expected an index"),
        (["ask", "{index}", "Where is the key?", "--model", "nano"], "holds tokens of model"),
        (["chat", "{folder}/none.vidx"], "no index '"),
        (["ask", "{folder}/none.vidx", "Where is the key?"], "no index '"),
        (["ask", "{folder}/none.vidx/", "Where is the key?", "--model", "no-such"], "no index '"),
        (["index", "{film}", "--workers", "0"], "workers=0; expected a whole number from 1 to 64"),
    ],
)
def test_mistakes_are_one_line(arguments, message, film, index, model_folder, tmp_path, capsys):
    given = [argument.format(film=film, index=index, folder=tmp_path) for argument in arguments]
    model = [] if "--model" in given else ["--model", model_folder]
    out = ["--out", str(tmp_path / "new.vidx")] if given[0] == "index" else []
    assert main([*given, *model, *out]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert message in said[0]


def test_killed_three_times_it_goes_on_and_is_as_if_it_never_was(long_film, model_folder, tmp_path):
    settings = ["--fps", "10", "--model", model_folder]
    whole, cut = tmp_path / "whole.vidx", tmp_path / "cut.vidx"
    assert main(["index", str(long_film), "--out", str(whole), *settings]) == 0
    command = [sys.executable, "-m", "longpanda.cli.main", "index", str(long_film), "--out", str(cut), *settings]
    killed = 0
    for blocks in (1, 4, 7):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(cut.glob("block-*"))) < blocks:
            time.sleep(0.001)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed
    subprocess.run(command, check=True, capture_output=True)
    assert tensors(cut) == tensors(whole)
