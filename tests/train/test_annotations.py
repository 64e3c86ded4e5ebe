"""Training on annotations: exact resume, records that cannot be read, and what ask makes of the result."""

import json
import shutil

import pytest
import torch
from tiny import SMALLEST_TEXT

from longpanda.errors import ConfigError, LongPandaError
from longpanda.longwatch.conversations import Clips, generate_clips
from longpanda.train.pack_batches import PACKS
from longpanda.train.recipe import recipe_of
from longpanda.train.run import train

MODEL = {"stab_size": "nano", "text": SMALLEST_TEXT, "sampling": {"frames": 2}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    list(generate_clips(Clips(count=8, seconds=2.0, size_px=48), folder))
    return folder


@pytest.fixture
def copy(clips, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(clips, tmp_path / "clips")


def recipe(folder, data=None, **stage):
    shown = {"kind": "annotations", "mixture": str(folder / "mixture.yaml"), "cache": str(folder / "cache")}
    shown |= {"pack_tokens": 120, "workers": 0, **(data or {})}
    one = {"name": "one", "steps": 6, "batch": 2, "learning_rate": 1e-3, "objectives": ["answers"], "data": shown}
    run = {"name": "test", "workers": 0, "log_steps": 1, "save_steps": 2}
    return recipe_of(run | {"model": MODEL, "stages": [one | stage]})


def losses(out, step):
    state = json.loads((out / f"0-one/checkpoint-{step}/trainer_state.json").read_text())
    return [one["loss"] for one in state["log_history"] if "loss" in one]


def weights(out):
    return torch.load(out / "0-one/done.pt", weights_only=True)


def test_a_run_that_was_killed_resumes_to_the_bit(clips, tmp_path):
    about, whole, killed = recipe(clips), tmp_path / "whole", tmp_path / "killed"
    train(about, whole, use_cpu=True)
    assert json.loads((whole / f"0-one/checkpoint-4/{PACKS}").read_text())["pack"] == 8
    shutil.copytree(whole, killed)
    for path in (killed / "0-one/done.pt", killed / "0-one/checkpoint-6", killed / "model"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    train(about, killed, use_cpu=True)
    assert losses(killed, 6) == losses(whole, 6)
    assert all(torch.equal(weight, weights(whole)[name]) for name, weight in weights(killed).items())


def test_a_checkpoint_of_other_data_is_refused(copy, tmp_path):
    out = tmp_path / "run"
    train(recipe(copy), out, use_cpu=True)
    for path in (out / "0-one/done.pt", out / "0-one/checkpoint-6", out / "model"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    lines = (copy / "conversations.jsonl").read_text().splitlines(keepends=True)
    (copy / "conversations.jsonl").write_text("".join(lines[1:] + lines[:1]))
    with pytest.raises(ConfigError, match=r"other data than those of '.*checkpoint-4' \(another mixture"):
        train(recipe(copy), out, use_cpu=True)
    (copy / "conversations.jsonl").write_text("".join(lines))
    (out / "0-one/checkpoint-4" / PACKS).unlink()
    with pytest.raises(ConfigError, match="does not say where the data go on"):
        train(recipe(copy), out, use_cpu=True)


def test_bad_files_stop_training_or_are_left_out_and_told(copy, tmp_path, caplog):
    name = json.loads((copy / "conversations.jsonl").read_text().splitlines()[0])["video"]
    (copy / "videos" / name).unlink()
    with pytest.raises(
        LongPandaError, match=r"1 of [0-9] records of 'conversations.jsonl' cannot be used \(1 missing\)"
    ):
        train(recipe(copy), tmp_path / "fails", use_cpu=True)
    assert not (tmp_path / "fails" / "0-one").exists()
    train(recipe(copy, {"bad": {"on_bad": "skip", "most_share": 0.5}}), tmp_path / "skips", use_cpu=True)
    assert all(map(torch.isfinite, torch.tensor(losses(tmp_path / "skips", 6))))


def test_a_step_whose_records_are_all_left_out_teaches_nothing(copy, tmp_path):
    """Files that break after they were measured are left out when they are read."""
    about = recipe(copy, {"bad": {"on_bad": "skip", "most_share": 1.0}, "pack_tokens": 0}, steps=2, batch=1)
    source = about.stages[0].data
    assert source.records.counts[0] > 3
    train(about, tmp_path / "measured", use_cpu=True)
    for path in (copy / "videos").glob("*.mp4"):
        path.write_bytes(b"no video")
    again = recipe(copy, {"bad": {"on_bad": "skip", "most_share": 1.0}, "pack_tokens": 0}, steps=2, batch=1)
    train(again, tmp_path / "broken", use_cpu=True)
    assert losses(tmp_path / "broken", 2) == [0.0, 0.0]


def test_spread_positions_are_refused(clips):
    with pytest.raises(
        ConfigError, match="positions = 100 of stage 'one'; expected 0 with data of the kind annotations"
    ):
        recipe(clips, positions=100)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"mixture": "nowhere.yaml"}, "no file 'nowhere.yaml'"),
        ({"frames": {"fps": 0}}, "frames: fps 0"),
        ({"bad": {"on_bad": "ignore"}}, "on_bad: 'ignore'"),
        ({"time_message": "long"}, "time_message 'long'"),
        ({"workers": -1}, "workers = -1"),
        ({"pack_tokens": 20}, "cannot be used"),
    ],
)
def test_what_cannot_be_meant_is_refused(clips, tmp_path, data, message):
    with pytest.raises(LongPandaError, match=message):
        train(recipe(clips, data), tmp_path / "run", use_cpu=True)
