"""The last whole checkpoint is gone on with; one that was cut off gives way to the one before."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from longpanda.errors import ConfigError
from longpanda.train.checkpoint import last_whole_checkpoint


def checkpoint(folder, step, states):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "trainer_state.json").write_text("{}")
    save_file({"weight": torch.zeros(9)}, path / "model.safetensors")
    torch.save({"state": torch.zeros(9)}, path / "optimizer.pt")
    for name in states:
        torch.save({"cpu": torch.random.get_rng_state()}, path / name)
    return path


def test_a_checkpoint_of_several_processes_needs_the_state_of_each(tmp_path):
    both = checkpoint(tmp_path, 90, ["rng_state_0.pth", "rng_state_1.pth"])
    alone = checkpoint(tmp_path, 100, ["rng_state_0.pth"])
    (tmp_path / "checkpoint-old").mkdir()
    assert last_whole_checkpoint(tmp_path, 2, is_main_process=False) == str(both)
    assert alone.exists()
    assert last_whole_checkpoint(tmp_path, 2, is_main_process=True) == str(both)
    assert not alone.exists()
    assert last_whole_checkpoint(tmp_path, 1, is_main_process=False) is None
    assert last_whole_checkpoint(tmp_path / "none", 1, is_main_process=True) is None


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json"])
@pytest.mark.parametrize("left", [None, 0, 5, 60])
def test_a_checkpoint_with_a_short_file_gives_way_to_the_one_before(tmp_path, name, left):
    good, bad = (checkpoint(tmp_path, step, ["rng_state.pth"]) for step in (2, 4))
    content = (bad / name).read_bytes()
    (bad / name).unlink() if left is None else (bad / name).write_bytes(content[: min(left, len(content) - 1)])
    assert last_whole_checkpoint(tmp_path, 1, is_main_process=True) == str(good)
    assert not bad.exists()
    assert (tmp_path / "broken-checkpoint-4").exists()


def test_a_checkpoint_that_the_disk_does_not_give_stays(tmp_path, monkeypatch):
    good = checkpoint(tmp_path, 4, ["rng_state.pth"])
    with monkeypatch.context() as patched:
        patched.setattr(torch, "load", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(ConfigError, match=r"checkpoint-4' cannot be read \(Input/output error\).*try again"):
            last_whole_checkpoint(tmp_path, 1, is_main_process=True)
    assert last_whole_checkpoint(tmp_path, 1, is_main_process=True) == str(good)


def test_a_checkpoint_in_several_files_needs_each(tmp_path):
    good = checkpoint(tmp_path, 4, ["rng_state.pth"])
    parts = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    (good / "model.safetensors").rename(good / parts[0])
    index = {"weight_map": {"weight": parts[0], "bias": parts[1]}}
    (good / "model.safetensors.index.json").write_text(json.dumps(index))
    assert last_whole_checkpoint(tmp_path, 1, is_main_process=False) is None
    shutil.copy(good / parts[0], good / parts[1])
    assert last_whole_checkpoint(tmp_path, 1, is_main_process=False) == str(good)
