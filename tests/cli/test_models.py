"""`--device` and `--dtype`: what is not there is refused, and every number format works from the file to the answer."""

import io
import json
import re
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file
from tiny import save, scenery, squeezing

from longpanda.cli.main import main
from longpanda.cli.models import DTYPES, devices, loaded
from longpanda.errors import ConfigError
from longpanda.index import VideoIndex
from longpanda.inference import load
from longpanda.inference.session import NO_EVIDENCE
from longpanda.video import encode

QUESTION = "What number is on the red circle?"
VERBS = (
    ["ask", "{film}", QUESTION],
    ["chat", "{film}"],
    ["index", "{film}", "--out", "{tmp}/new.vidx"],
    ["demo", "--seed", "1"],
    ["longwatch", "run", "{suite}", "--out", "{tmp}/new.jsonl"],
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("suites") / "suite"
    plan = "--minutes 3 --per-cell 1 --seed 6 --split dev --size-px 96 --fps 0.5 --families state --workers 1"
    assert main(["longwatch", "make", *plan.split(), "--out", str(folder)]) == 0
    return str(folder)


@pytest.fixture(scope="module")
def squeezer(tmp_path_factory) -> str:
    """A model with a causal compressor, whose state goes from block to block."""
    return str(save(squeezing("causal"), tmp_path_factory.mktemp("models") / "squeezer"))


@pytest.fixture(scope="module")
def long_film(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("films") / "long.mp4"
    encode(scenery(20), path, 10, preset="ultrafast", gop=20)
    return str(path)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--device", "cuda:99"], "--device 'cuda:99'; expected one that this machine has: cpu"),
        (["--device", "gpu"], "--device 'gpu'; expected one that this machine has: cpu"),
        (["--device", "meta"], "--device 'meta'; expected one that this machine has: cpu"),
        (["--dtype", "bf16"], "--dtype 'bf16'; expected one of float32, bfloat16, float16; did you mean"),
        (["--dtype", "int8"], "--dtype 'int8'; expected one of float32, bfloat16, float16"),
    ],
)
def test_what_is_not_there_is_refused_by_every_verb(verb, option, message, film, suite, model_folder, tmp_path, capsys):
    words = [word.format(film=film, suite=suite, tmp=tmp_path) for word in verb]
    assert main([*words, "--model", model_folder, *option]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert not list(tmp_path.iterdir())


def test_devices_are_those_that_torch_has(monkeypatch, model_folder):
    assert devices()[0] == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices() == ["cpu", "cuda:0", "cuda:1"]
    with pytest.raises(ConfigError, match="cpu, cuda:0, cuda:1"):
        loaded(model_folder, "cuda:2")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_an_accelerator_answers_as_the_cpu_does(device, film, squeezer, capsys):
    answers = []
    for where in ("cpu", device):
        assert main(["ask", film, QUESTION, "--model", squeezer, "--device", where, "--evidence", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["answer"])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_format_works_from_the_file_to_the_answer(dtype, film, squeezer, tmp_path, capsys, monkeypatch):
    index, kind = str(tmp_path / "film.vidx"), ["--model", squeezer, "--dtype", dtype]
    assert main(["ask", film, QUESTION, *kind, "--fps", "1", "--json"]) == 0
    from_file = json.loads(capsys.readouterr().out)["answer"]
    assert main(["index", film, "--out", index, "--fps", "1", "--storage", "float32", *kind]) == 0
    capsys.readouterr()
    answers = []
    for more in (["--keep-prefix"], [], ["--verify", "--thumbnails", str(tmp_path / "pictures")]):
        assert main(["ask", index, QUESTION, *kind, *more, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert {one["answer"] for one in answers} == {from_file} != {""}
    has_evidence = NO_EVIDENCE.strip() not in answers[-1]["notice"]
    assert bool(answers[-1]["evidence"]) == bool(answers[-1]["verification"]) == has_evidence
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{QUESTION}\n"))
    assert main(["chat", index, *kind, "--forget"]) == 0
    assert capsys.readouterr().out == f"{from_file}\n"


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_index_gone_on_with_is_the_one_made_at_once_in_any_format(dtype, long_film, film, squeezer, tmp_path):
    whole, grown = tmp_path / "whole.vidx", tmp_path / "grown.vidx"
    copy, kind = tmp_path / "film.mp4", ["--fps", "10", "--model", squeezer, "--workers", "1"]
    shutil.copy(film, copy)
    assert main(["index", str(copy), "--out", str(grown), *kind, "--dtype", dtype]) == 0
    shutil.copy(long_film, copy)
    assert main(["index", str(copy), "--out", str(grown), *kind, "--append"]) == 0, "in the format that it has"
    assert main(["index", long_film, "--out", str(whole), *kind, "--dtype", dtype]) == 0
    for path in sorted(whole.glob("block-*")):
        one, other = (load_file(folder / path.name)["tokens"] for folder in (whole, grown))
        assert torch.equal(one, other)
    assert torch.equal(VideoIndex(whole).tokens.values, VideoIndex(grown).tokens.values)


def test_an_index_goes_on_in_its_own_format_and_is_asked_in_any(film, squeezer, tmp_path, capsys):
    index, kind = str(tmp_path / "film.vidx"), ["--fps", "5", "--model", squeezer]
    made = ["index", film, "--out", index, *kind]
    assert main([*made, "--dtype", "bfloat16"]) == 0
    assert VideoIndex(index).header.dtype == "bfloat16"
    assert main(made) == 0, "as it was begun, where nobody says"
    capsys.readouterr()
    for other in ("float32", "float16"):  # whose STAB is float32's
        assert main([*made, "--dtype", other]) == 2
        said = capsys.readouterr().err
        assert "an index of tokens computed in bfloat16; expected one of tokens computed in float32" in said
        assert "use the same --dtype, or another --out" in said
    for dtype in DTYPES:
        assert main(["ask", index, QUESTION, "--model", squeezer, "--dtype", dtype, "--keep-prefix"]) == 0
        assert "kept" in capsys.readouterr().err, "keys and values of another format are not taken for its own"
    assert main(["ask", index, QUESTION, "--model", squeezer]) == 0


def test_half_precision_makes_the_same_tokens_and_is_the_same_model(film, squeezer, tmp_path):
    indexes = {}
    for dtype in ("float32", "float16"):
        out = tmp_path / f"{dtype}.vidx"
        assert main(["index", film, "--out", str(out), "--fps", "5", "--model", squeezer, "--dtype", dtype]) == 0
        indexes[dtype] = VideoIndex(out)
    assert torch.equal(*(index.tokens.values for index in indexes.values()))
    assert len({index.header.encoder for index in indexes.values()}) == 1
    half = load(squeezer, dtype=torch.float16)
    assert (half.model.dtype, half.model.stab.patch.weight.dtype) == (torch.float16, torch.float32)
    assert half.model.visual.fingerprint() == indexes["float32"].header.encoder
    assert {weight.dtype for weight in half.model.language_model.parameters()} == {torch.float16}
    theirs = "language_model.model.layers.0.temporal_block.linear_y.weight"  # RecurrentGemma's
    assert not any(re.search(kept, theirs) for kept in half.model._keep_in_fp32_modules)


def test_results_in_another_format_are_other_results(suite, model_folder, tmp_path, capsys):
    run = ["longwatch", "run", suite, "--out", str(tmp_path / "r.jsonl"), "--model", model_folder, "--frames", "2"]
    assert main([*run, "--dtype", "bfloat16", "--device", "cpu"]) == 3  # a random model's answers do not end
    capsys.readouterr()
    assert main([*run, "--dtype", "float16"]) == 2
    assert "dtype was 'bfloat16' and is now 'float16'; expected" in capsys.readouterr().err
    assert main(run) == 2
    assert "dtype was 'bfloat16' and is now not set; expected" in capsys.readouterr().err
    assert main(["longwatch", "report", str(tmp_path / "r.jsonl")]) == 0
    assert "--dtype bfloat16" in (tmp_path / "r.html").read_text()
    assert main(["longwatch", "run", suite, "--out", str(tmp_path / "o.jsonl"), "--oracle", "--dtype", "float32"]) == 2
    assert "--device or --dtype without --model" in capsys.readouterr().err


def test_the_format_that_a_model_was_saved_in_is_no_other_one(suite, model_folder, tmp_path, capsys):
    run = ["longwatch", "run", suite, "--out", str(tmp_path / "r.jsonl"), "--model", model_folder, "--frames", "2"]
    for dtype in ([], ["--dtype", "float32"], []):
        assert main([*run, *dtype]) == 3, "a random model's answers do not end"
    capsys.readouterr()
    assert main([*run, "--dtype", "bfloat16"]) == 2
    assert "dtype was not set and is now 'bfloat16'; expected" in capsys.readouterr().err


def test_index_says_before_it_works_what_its_model_knows(film, model_folder, tmp_path, capsys, monkeypatch):
    said = []

    def build(*_args, **_kwargs):
        said.append(capsys.readouterr().err)
        raise ConfigError("stopped here", "no work", "look at what was said")

    monkeypatch.setattr("longpanda.index.IndexBuilder.build", build)
    assert main(["index", film, "--out", str(tmp_path / "a.vidx"), "--model", model_folder]) == 2
    assert said == [f"note: {model_folder}: a random model\n"]
    capsys.readouterr()
    assert main(["index", film, "--out", str(tmp_path / "b.vidx")]) == 2
    assert said[1].startswith("note: nano-long: This model was trained on generated LongWatch scenes only;")
