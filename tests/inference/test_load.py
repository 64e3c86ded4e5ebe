"""Models by name: what is found, and what is said where nothing fits."""

import importlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import asked, noise
from transformers import Trainer, TrainingArguments

import longpanda
from longpanda.errors import ModelError
from longpanda.inference.load import folders_of, load, load_config, locate
from longpanda.model.modeling import LongPandaForConditionalGeneration
from longpanda.types import Example

module = importlib.import_module("longpanda.inference.load")


@pytest.fixture
def folder(model_folder, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(model_folder, tmp_path / "model")


@pytest.fixture
def hub(monkeypatch):
    """A hub with one repository, and the files asked of it."""
    import huggingface_hub

    asked, repositories = [], {}

    def snapshot_download(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        if name not in repositories:
            raise FileNotFoundError("Got: ConnectError: no such host\nand advice")
        return str(repositories[name])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked, repositories


def test_a_folder_is_loaded(model_folder):
    loaded = load(str(model_folder))
    assert (loaded.name, loaded.model.training) == (str(model_folder), False)
    assert loaded.default_sampling.frames == 4
    assert longpanda.load is load


def test_bundled_models_are_found_by_name(model_folder, monkeypatch):
    monkeypatch.setattr(module, "ASSETS", model_folder.parent)
    assert module.bundled() == {"tiny": model_folder}
    assert locate("tiny") == model_folder
    with pytest.raises(ModelError, match=r"no model 'tinny'; expected a bundled name.*did you mean 'tiny'"):
        locate("tinny")


@pytest.mark.parametrize("name", ["", "no-such", "/no/such", "./no/such", "a/b/c"])
def test_an_unknown_name_is_refused(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "ASSETS", tmp_path)
    with pytest.raises(ModelError):
        load(name)


def test_the_bundled_model_is_loaded():
    if "nano" not in module.bundled():
        pytest.skip("longpanda/assets/nano is not there yet")
    assert load("nano").model.config.notice


def test_a_hub_id_is_fetched_and_checked_before_its_weights(model_folder, hub):
    asked, repositories = hub
    repositories["someone/panda"] = model_folder
    assert load("someone/panda", revision="v1").model.config.notice == "a random model"
    assert asked == [("someone/panda", "v1", ["config.json"]), ("someone/panda", "v1", module.MODEL_FILES)]
    del asked[:]
    assert load_config("someone/panda").sampling == {"frames": 4}
    assert asked == [("someone/panda", None, ["config.json"])]


def test_a_hub_that_cannot_be_reached_is_said_in_one_line(hub):
    with pytest.raises(
        ModelError, match=r"no folder 'someone/else'.*hub \(Got: ConnectError: no such host\)"
    ) as caught:
        load("someone/else")
    assert "\n" not in str(caught.value)


def test_another_kind_of_model_is_refused(folder, hub):
    asked, repositories = hub
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "qwen2"}))
    with pytest.raises(ModelError, match=f"a model of type 'qwen2' in '{folder}'; expected type 'longpanda'"):
        load(str(folder))
    repositories["someone/other"] = folder
    with pytest.raises(ModelError, match="type 'qwen2'"):
        load("someone/other")
    assert len(asked) == 1, "its weights were not fetched"


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_a_folder_without_a_configuration_is_refused(folder, text):
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_text(text)
    for call in (load, load_config):
        with pytest.raises(ModelError, match=r"config.json' cannot be read" if text else "no config.json in"):
            call(str(folder))


def test_a_configuration_of_no_possible_model_is_refused(folder):
    from longpanda.errors import ConfigError

    config = json.loads((folder / "config.json").read_text())
    config["stab_config"]["norm"] = "none"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="norm='none'"):
        load(str(folder))
    del config["stab_config"]
    config["text_config"]["model_type"] = "no-such"
    (folder / "config.json").write_text(json.dumps(config))
    for call in (load, load_config):
        with pytest.raises(ModelError, match="no-such"):
            call(str(folder))


def test_weights_cut_short_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(folder))


def test_bytes_that_are_no_weights_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"hello")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "processor_config.json"])
def test_missing_files_are_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(folder))


def test_missing_weights_are_refused_and_not_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["projector.input.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"no weights for 1 tensor of .*, such as 'projector.input.weight'"):
        load(str(folder))


@pytest.mark.parametrize("name", ["PandaForTraining", "TaughtPanda"])
def test_a_run_and_its_checkpoint_lead_to_the_model(folder, tmp_path, name):
    run = tmp_path / "run"
    checkpoint = shutil.copytree(folder, run / "0-stage/checkpoint-4")
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"architectures": [name]}))
    shutil.copytree(folder, run / "model")
    for path in (run, checkpoint):
        with pytest.raises(ModelError, match=f"use '{run / 'model'}'"):
            load(str(path))


def test_a_tokenizer_that_is_none_is_refused(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="its tokenizer cannot be read"):
        load(str(folder))


def test_weights_of_another_shape_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["projector.input.bias"] = torch.zeros(7)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"its weights have other sizes than its config\.json says"):
        load(str(folder))


def lora(panda, folder):
    """A folder with an adapter that changes something, as PEFT saves it."""
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "projector.output"], init_lora_weights=False)
    torch.manual_seed(1)
    wrapped = peft.get_peft_model(panda.model, settings)
    wrapped.save_pretrained(folder)
    return wrapped.eval()


@torch.no_grad()
def test_an_adapter_is_loaded_with_the_model_below_it(model_folder, tmp_path):
    panda = load(str(model_folder))
    inputs = panda.processor(panda.processor.chat("Where is the key?"), [noise(3)])
    plain = panda.model(**inputs).logits
    expected = lora(panda, tmp_path / "adapter")(**inputs).logits
    assert (expected - plain).abs().max() > 0.1
    again = load(str(tmp_path / "adapter"))
    assert type(again.model) is LongPandaForConditionalGeneration
    torch.testing.assert_close(again.model(**inputs).logits, expected, atol=1e-3, rtol=1e-3)


def test_an_adapter_is_its_own_files_and_those_of_the_model_below_it(model_folder, tmp_path):
    lora(load(str(model_folder)), tmp_path / "adapter")
    name = str(tmp_path / "adapter")
    assert folders_of(name) == [tmp_path / "adapter", Path(model_folder)]
    assert load_config(name).to_dict() == load_config(str(model_folder)).to_dict()
    assert folders_of(str(model_folder)) == [Path(model_folder)]


def test_an_adapter_of_a_bundled_model_finds_it_on_another_machine(tmp_path):
    lora(load("nano"), tmp_path)
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"].endswith("longpanda/assets/nano")
    about["base_model_name_or_path"] = "/elsewhere/site-packages/longpanda/assets/nano"
    (tmp_path / "adapter_config.json").write_text(json.dumps(about))
    assert load(str(tmp_path)).model.config.notice == load("nano").model.config.notice


def test_an_adapter_without_its_model_is_refused(model_folder, tmp_path):
    lora(load(str(model_folder)), tmp_path)
    about = json.loads((tmp_path / "adapter_config.json").read_text())
    for base, message in {None: "does not say which model", "/no/such": "no model '/no/such'"}.items():
        (tmp_path / "adapter_config.json").write_text(json.dumps(about | {"base_model_name_or_path": base}))
        with pytest.raises(ModelError, match=message):
            load(str(tmp_path))


def test_an_adapter_of_another_model_is_refused(model_folder, tmp_path):
    lora(load(str(model_folder)), tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    save_file({f"{name}x": weight for name, weight in weights.items()}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"an adapter in .* with other weights than"):
        load(str(tmp_path))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"hello")
    with pytest.raises(ModelError, match=r"the adapter in .* cannot be put into"):
        load(str(tmp_path))


def test_a_checkpoint_of_a_plain_trainer_is_loaded(model_folder, tmp_path):
    panda = load(str(model_folder))
    example = Example(noise(2), (asked("Where is the key?", "left"),))
    for processor in (panda.processor, None):
        arguments = TrainingArguments(
            str(tmp_path), max_steps=1, save_steps=1, report_to=[], use_cpu=True, remove_unused_columns=False
        )
        collate = panda.processor.training_batch
        Trainer(panda.model, arguments, collate, [example], processing_class=processor).train()
        if processor:
            again = load(str(tmp_path / "checkpoint-1")).model.state_dict()
            assert all(torch.equal(again[name], weight) for name, weight in panda.model.state_dict().items())
            shutil.rmtree(tmp_path / "checkpoint-1")
    with pytest.raises(ModelError, match=r"a checkpoint without a processor; .*processing_class=processor"):
        load(str(tmp_path / "checkpoint-1"))
