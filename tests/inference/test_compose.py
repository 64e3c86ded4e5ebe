"""A new video model on a pretrained language model."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import noise, tiny_stab, tiny_text
from transformers import AutoModel, AutoModelForCausalLM

import longpanda
from benchmarks.tiny_backbones import tiny_model
from longpanda.errors import ConfigError, ModelError
from longpanda.longwatch import vocabulary
from longpanda.model.configuration import LongPandaConfig
from longpanda.processing import PLAIN_TEMPLATE
from longpanda.processing.prompt import VIDEO_TOKEN
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.types import Example, Sample
from longpanda.video import Sampling, encode

STAB = tiny_stab()


@pytest.fixture(params=["llama", "phi3", "qwen2"])
def backbone(request, tmp_path):
    tokenizer = word_tokenizer(vocabulary())
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(tiny_text(request.param, tokenizer)).save_pretrained(tmp_path / "lm")
    tokenizer.save_pretrained(tmp_path / "lm")
    return tmp_path / "lm"


def test_the_language_model_is_kept_and_the_rest_is_new(backbone, tmp_path) -> None:
    panda = longpanda.compose(str(backbone), STAB)
    before = AutoModelForCausalLM.from_pretrained(backbone).state_dict()
    after = panda.model.language_model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert panda.model.stab.patch.weight.std() > 0
    assert torch.isfinite(panda.model.stab.pixel_std).all()

    example = Example(noise(4), (Sample("where is the key?", "left", "state"),))
    panda.model(**panda.processor.training_batch([example])).loss.backward()
    assert panda.model.projector.output.weight.grad.any()

    encode(list(noise(8).frames), tmp_path / "film.mp4", fps=2.0)
    answer = panda.ask(tmp_path / "film.mp4", "what number is on the red circle?", Sampling(frames=4))
    panda.model.save_pretrained(tmp_path / "saved")
    panda.processor.save_pretrained(tmp_path / "saved")
    again = longpanda.load(str(tmp_path / "saved"))
    sampling = Sampling(frames=4)
    assert again.ask(tmp_path / "film.mp4", "what number is on the red circle?", sampling).text == answer.text


def test_long_rope_has_one_set_of_factors(tmp_path) -> None:
    tokenizer = word_tokenizer(vocabulary())
    text = tiny_text("phi3", tokenizer)
    factors = {"short_factor": [1.0] * 4, "long_factor": [2.0, 4.0, 8.0, 16.0]}
    rope = {"rope_type": "longrope", "original_max_position_embeddings": 64, "rope_theta": 10000.0, **factors}
    fields = text.to_dict() | {"rope_parameters": rope, "original_max_position_embeddings": 64}
    AutoModelForCausalLM.from_config(type(text)(**fields)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = longpanda.compose(str(tmp_path), STAB).model
    ids = torch.arange(100, 200)[None]
    with torch.no_grad():
        long, short = model(input_ids=ids).logits, model(input_ids=ids[:, :50]).logits
    torch.testing.assert_close(short, long[:, :50])


def test_fields_of_the_language_models_configuration_may_be_changed(backbone) -> None:
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0, "original_max_position_embeddings": 2048}
    panda = longpanda.compose(
        str(backbone), STAB, max_position_embeddings=4096, rope_parameters=yarn, dtype="bfloat16", local_files_only=True
    )
    text = panda.model.config.text_config
    assert (text.max_position_embeddings, text.rope_parameters["rope_type"]) == (4096, "yarn")
    assert {weight.dtype for weight in panda.model.parameters()} == {torch.bfloat16}


def test_positions_that_turn_with_every_token_are_refused() -> None:
    text = tiny_text("llama", word_tokenizer(vocabulary()))
    text.rope_parameters = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
    with pytest.raises(ConfigError, match=r"rope_type='dynamic' of a 'llama'.*use rope_type='yarn'"):
        LongPandaConfig(STAB, text)


def test_a_tokenizer_without_the_placeholder_gets_one_and_the_embeddings_a_row(backbone) -> None:
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(backbone)
    plain._tokenizer = type(plain._tokenizer).from_str(plain._tokenizer.to_str().replace(VIDEO_TOKEN, "<|something|>"))
    plain.save_pretrained(backbone)
    panda = longpanda.compose(str(backbone), STAB)
    rows = panda.model.get_input_embeddings().weight.shape[0]
    assert panda.processor.video_token_id < rows
    assert panda.model.config.video_token_id == panda.processor.video_token_id


def test_a_folder_without_a_language_model_is_refused(tmp_path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        longpanda.compose(str(tmp_path), STAB)


def saved(model, folder, template=True):
    """A language model and its tokenizer in a folder."""
    tokenizer = word_tokenizer(vocabulary())
    if not template:
        tokenizer.chat_template = None
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    return str(folder)


def test_a_tokenizer_without_a_chat_template_takes_one(tmp_path) -> None:
    folder = saved(tiny_model("llama", word_tokenizer(vocabulary())), tmp_path, template=False)
    with pytest.raises(ConfigError, match="a chat template that is not valid Jinja"):
        longpanda.compose(folder, STAB, chat_template="{{")
    with pytest.raises(ConfigError, match=r"has no chat template; .*chat_template=, for example .*PLAIN_TEMPLATE"):
        longpanda.compose(folder, STAB)
    panda = longpanda.compose(folder, STAB, chat_template=PLAIN_TEMPLATE)
    assert panda.processor.chat("where?") == f"User: {VIDEO_TOKEN}\nwhere?\nAssistant:"
    assert panda.processor.chat("where?", "left") == f"User: {VIDEO_TOKEN}\nwhere?\nAssistant: left<|end|>\n"
    assert panda.processor.end_token_id == panda.processor.tokenizer.eos_token_id
    panda.processor.training_batch([Example(noise(2), (Sample("where is the key?", "left", "state"),))])


@pytest.fixture
def no_numbers_in_new_memory():
    """What nobody wrote to memory is no number."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("no_numbers_in_new_memory")
def test_constants_that_no_file_holds_are_there_however_a_model_is_loaded(tmp_path) -> None:
    """Of Falcon-H1 these are factors before its state-space layers."""
    panda = longpanda.compose(saved(tiny_model("falcon_h1", word_tokenizer(vocabulary())), tmp_path / "text"), STAB)
    panda.model.save_pretrained(tmp_path / "panda")
    panda.processor.save_pretrained(tmp_path / "panda")
    mine = {**panda.model.state_dict(), **dict(panda.model.named_buffers())}
    assert any(name.endswith("mup_vector") for name in mine)
    for again in (longpanda.load(tmp_path / "panda").model, AutoModel.from_pretrained(tmp_path / "panda")):
        loaded = {**again.state_dict(), **dict(again.named_buffers())}
        assert loaded.keys() == mine.keys()
        assert [name for name in mine if not torch.equal(mine[name], loaded[name])] == []


@torch.no_grad()
def test_of_a_model_with_eyes_the_language_model_alone_is_taken(tmp_path) -> None:
    whole = tiny_model("gemma3", word_tokenizer(vocabulary()))
    panda = longpanda.compose(saved(whole, tmp_path), STAB)
    ids = torch.arange(20, 40)[None]
    assert type(panda.model.language_model).__name__ == "Gemma3ForCausalLM"
    assert torch.equal(panda.model.language_model(ids).logits, whole(ids).logits)


def test_a_language_model_that_cannot_be_shown_anything_is_refused(tmp_path) -> None:
    folder = saved(tiny_model("bert", word_tokenizer(vocabulary())), tmp_path)
    with pytest.raises(ConfigError, match="type 'bert' whose tokens see those that come after them"):
        longpanda.compose(folder, STAB, is_decoder=False)
    longpanda.compose(folder, STAB)


def test_a_language_model_without_all_its_weights_is_refused(tmp_path) -> None:
    folder = saved(tiny_model("llama", word_tokenizer(vocabulary())), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"language model .* lacks 1 tensor, such as .*mlp\.up_proj"):
        longpanda.compose(folder, STAB)


@pytest.mark.parametrize("name", ["mixtral", "phimoe"])
def test_mixtures_of_experts_are_saved_and_loaded_to_the_bit(name, tmp_path) -> None:
    panda = longpanda.compose(saved(tiny_model(name, word_tokenizer(vocabulary())), tmp_path / "lm"), STAB)
    for part in (panda.model, panda.processor):
        part.save_pretrained(tmp_path / "saved")
    mine, again = panda.model.state_dict(), longpanda.load(str(tmp_path / "saved")).model.state_dict()
    assert {name for name in mine if not torch.equal(mine[name], again[name])} == set()
    written = load_file(tmp_path / "saved/model.safetensors")
    assert written.keys() <= mine.keys(), "what a Trainer resumes from has the model's own names"


def test_a_mixture_of_experts_saved_under_its_makers_names_is_loaded_too(tmp_path) -> None:
    panda = longpanda.compose(saved(tiny_model("mixtral", word_tokenizer(vocabulary())), tmp_path / "lm"), STAB)
    panda.processor.save_pretrained(tmp_path / "saved")
    panda.model.save_pretrained(tmp_path / "saved", save_original_format=True)
    written = set(load_file(tmp_path / "saved/model.safetensors"))
    assert any("block_sparse_moe" in name for name in written)
    mine, again = panda.model.state_dict(), longpanda.load(str(tmp_path / "saved")).model.state_dict()
    assert {name for name in mine if not torch.equal(mine[name], again[name])} == set()
    assert {name for name in mine if not name.startswith("language_model.")} <= written


def test_a_compressor_may_be_composed_too(backbone, tmp_path) -> None:
    panda = longpanda.compose(str(backbone), STAB, temporal={"grid": [2, 2], "layers": 1, "head_width": 8})
    assert panda.model.config.temporal_config.width == STAB.width
    encode(list(noise(8).frames), tmp_path / "film.mp4", fps=2.0)
    assert panda.ask(tmp_path / "film.mp4", "what number is it?", Sampling(frames=4)).visual_tokens == 16
    with pytest.raises(ConfigError, match="temporal compressor of width 64 behind a STAB of width 32"):
        longpanda.compose(str(backbone), STAB, temporal={"width": 64})
