"""What each verb prints when all is well."""

import json
import shutil
import subprocess
import sys

import pytest
from tiny import save, squeezing

from longpanda import __version__
from longpanda.cli.main import main, parser
from longpanda.types import ANSWER_TOKENS


def test_ask_json_is_one_object_with_the_documented_keys(film, model_folder, capsys):
    assert main(["ask", film, "Where is the key?", "--model", model_folder, "--frames", "3", "--json"]) == 0
    out = capsys.readouterr().out
    answer = json.loads(out)
    assert answer["question"] == "Where is the key?"
    assert set(answer) == {
        "question",
        "thumbnails",
        "answer",
        "video",
        "visual_tokens",
        "timings",
        "peak_memory_bytes",
        "model",
        "notice",
        "evidence",
        "verification",
    }
    assert isinstance(answer["answer"], str)
    assert answer["video"] == {
        "path": film,
        "duration_seconds": 4.0,
        "frames_used": 3,
        "first_second": pytest.approx(0.6),
        "last_second": pytest.approx(3.3),
    }
    assert answer["visual_tokens"] == 3 * 7
    assert set(answer["timings"]) == {"decode", "encode_frames", "generate"}
    assert answer["peak_memory_bytes"] > 2**20
    assert answer["model"] == model_folder
    assert answer["notice"].endswith("a random model")


def test_ask_for_people(film, model_folder, capsys, tmp_path):
    endless = shutil.copytree(model_folder, tmp_path / "endless")
    settings = json.loads((endless / "generation_config.json").read_text())
    (endless / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": -1}))
    assert main(["ask", film, "Where is the key?", "--model", str(endless), "--fps", "1"]) == 0
    out = capsys.readouterr().out
    assert "4 frames from 0.0 to 3.0 of 4.0 s; 28 visual tokens;" in out
    assert "note: The answer was cut off after 64 tokens, its limit. a random model" in out


def test_one_frame_is_one(film, model_folder, capsys):
    assert main(["ask", film, "Where is the key?", "--model", model_folder, "--frames", "1"]) == 0
    assert "\n1 frame at 2.0 of 4.0 s; 7 visual tokens;" in capsys.readouterr().out


def test_several_questions_are_asked_of_one_reading(film, model_folder, capsys):
    questions = ["What number is on the red circle?", "Where is the key at the end?"]
    assert main(["ask", film, *questions, "--model", model_folder, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["timings"]["decode"] > 0 == second["timings"]["decode"]
    assert main(["ask", film, *questions, "--model", model_folder]) == 0
    out = capsys.readouterr().out
    assert all(question in out.splitlines() for question in questions)


def test_answers_are_as_long_as_the_library_has_them():
    for verb in (["ask", "film.mp4", "Where?"], ["chat", "film.mp4"]):
        assert parser().parse_args(verb).answer_tokens == ANSWER_TOKENS


def test_info(model_folder, capsys):
    assert main(["info", model_folder, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert {name.split(":")[0] for name in values["parameters"]} >= {"stab", "projector", "total"}
    assert values["frame"]["square"]["tokens"] == 10
    assert values["backbone"] == "qwen2"
    assert main(["info", model_folder]) == 0
    table = capsys.readouterr().out
    assert f"{values['parameters']['total']:,}" in table
    assert "16:9" in table
    assert "note: a random model" in table


def test_info_counts_what_a_compressor_leaves(tmp_path, capsys):
    assert main(["info", str(save(squeezing("causal"), tmp_path / "model")), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert {shape: cost["tokens"] for shape, cost in values["frame"].items()} == {"square": 2, "16:9": 2, "9:16": 2}
    assert values["frame"]["square"]["compressor_gflop"] > 0
    assert values["parameters"]["temporal"] > 0


def test_info_counts_the_parameters_there_are(model_folder, capsys):
    from longpanda.inference import load

    main(["info", model_folder, "--json"])
    total = json.loads(capsys.readouterr().out)["parameters"]["total"]
    assert total == sum(p.numel() for p in load(model_folder).model.parameters())


def test_probe(film, capsys):
    assert main(["probe", film, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["width_px"], values["height_px"], values["codec"]) == (96, 64, "h264")
    assert values["duration_seconds"] == 4.0
    assert values["sample_aspect_ratio"] == "1"
    assert main(["probe", film]) == 0
    assert "duration_seconds       4.0\n" in capsys.readouterr().out


def test_train_then_ask(film, recipe, tmp_path, capsys):
    run = ["train", "--out", str(tmp_path / "run"), recipe, "stages.0.steps=1"]
    assert main(run) == 0
    out = capsys.readouterr().out
    assert "stage 1 of 1, 'one', is done" in out
    assert f"the model is in {tmp_path}/run/model" in out
    assert main(["ask", film, "How many cards were shown?", "--model", str(tmp_path / "run/model")]) == 0
    assert main([*run, "seed=9"]) == 2
    assert "its seed is 0, not 9" in capsys.readouterr().err


def test_demo(model_folder, tmp_path, capsys, monkeypatch):
    from longpanda.cli import demo

    monkeypatch.setattr(demo, "DEMO_SECONDS", 40.0)
    film = tmp_path / "kept.mp4"
    assert main(["demo", "--seed", "1", "--model", model_folder, "--questions", "1", "--keep", str(film)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("rendering a 3-minute video (seed 1)")
    assert all(name in out for name in ("needle", "order", "count", "state", "visual tokens", str(film)))
    assert film.stat().st_size > 1000
    assert main(["demo", "--seed", "2", "--model", model_folder, "--questions", "1", "--keep", str(film)]) == 0


def test_help_and_version(capsys):
    for verb in ([], ["ask"], ["demo"], ["train"], ["info"], ["probe"]):
        with pytest.raises(SystemExit) as stopped:
            main([*verb, "--help"])
        assert stopped.value.code == 0
        assert "usage: longpanda" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"longpanda {__version__}\n"


def modules_after(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_help_is_light():
    modules = modules_after(
        "import sys, contextlib, io\n"
        "from longpanda.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['--help'])\n"
        "print(*sys.modules)"
    )
    assert not modules & {"torch", "av", "numpy", "transformers", "yaml"}
    assert "argparse" in modules


def test_training_needs_no_video_library(recipe, tmp_path):
    """Machines for training often have no FFmpeg."""
    arguments = ["train", recipe, "stages.0.steps=1", "--out", str(tmp_path / "run")]
    modules = modules_after(
        "import sys\n"
        "sys.modules['av'] = None\n"
        "from longpanda.cli.main import main\n"
        "import longpanda.longwatch.examples, longpanda.processing\n"
        f"assert main({arguments!r}) == 0\n"
        "print(*(name for name, module in sys.modules.items() if module))"
    )
    assert "av" not in modules
    assert (tmp_path / "run/model/config.json").exists()
