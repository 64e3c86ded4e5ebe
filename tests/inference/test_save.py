"""A model is saved whole or not at all, and in the place of nothing but a model."""

import pytest
import torch
from safetensors.torch import load_file
from tiny import noise, save, squeezing, tiny

import longpanda
from longpanda.errors import ConfigError
from longpanda.inference import load, saving
from longpanda.inference.load import LongPanda


@pytest.fixture
def panda():
    model, processor = squeezing("causal")
    return LongPanda("tiny", model, processor)


@torch.no_grad()
def logits(panda):
    inputs = panda.processor(panda.processor.chat("Where is the key?"), [noise(3)])
    return panda.model(**inputs).logits


def test_what_is_saved_is_loaded_again(panda, tmp_path):
    panda.save(tmp_path / "model")
    again = longpanda.load(tmp_path / "model")
    assert torch.equal(logits(again), logits(panda))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_or_an_empty_folder_gives_way(panda, tmp_path):
    save(tiny(), tmp_path / "model")
    (tmp_path / "model/README.md").write_text("of the model before")
    (tmp_path / "empty").mkdir()
    for name in ("model", "empty"):
        panda.save(str(tmp_path / name))
        assert load(tmp_path / name).model.config.temporal_config is not None
        assert not (tmp_path / name / "README.md").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "model"]


def test_folders_with_like_names_stay(panda, tmp_path):
    for name in ("model.old", "model.tmp"):
        (tmp_path / name).mkdir()
    panda.save(tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.old", "model.tmp"]


def test_a_relative_name_is_one_of_the_current_folder(panda, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panda.save("model")
    assert (tmp_path / "model/config.json").exists()


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (["notes.odt"], r"which is no model: it holds 'notes.odt'; .*; choose another name"),
        (["data.json"], "which is no model: it holds 'data.json'"),
        (["config.json", "holiday.jpg"], "which is no model: it holds 'holiday.jpg'"),
        (["config.json", "checkpoint-3/"], "which is no model: it holds 'checkpoint-3'"),
    ],
)
def test_a_folder_that_holds_anything_else_is_refused(panda, tmp_path, inside, message):
    (tmp_path / "there").mkdir()
    for name in inside:
        (tmp_path / "there" / name).mkdir() if name.endswith("/") else (tmp_path / "there" / name).write_text("{}")
    with pytest.raises(ConfigError, match=message):
        panda.save(tmp_path / "there")
    assert len(list((tmp_path / "there").iterdir())) == len(inside)


def test_a_file_and_a_folder_that_is_not_there_are_refused(panda, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file' is a file; expected a folder"):
        panda.save(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"no directory '.*none'; expected an existing directory; create it first"):
        panda.save(tmp_path / "none/model")


@pytest.mark.parametrize("where", ["writing", "moving"])
def test_where_saving_fails_the_old_model_stays(panda, tmp_path, monkeypatch, where):
    save(tiny(), tmp_path / "model")
    before = load_file(tmp_path / "model/model.safetensors")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if where == "writing":
        monkeypatch.setattr(type(panda.processor), "save_pretrained", full)
    else:  # the old one is out of the way already
        replace = saving.os.replace
        monkeypatch.setattr(saving.os, "replace", lambda a, b: full() if a.name == "new" else replace(a, b))
    with pytest.raises(ConfigError, match=r"model' cannot be written \(.*No space left"):
        panda.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    after = load_file(tmp_path / "model/model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
