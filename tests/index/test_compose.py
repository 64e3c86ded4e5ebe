"""A new video model on a pretrained language model."""

import pytest
import torch
from tiny import noise, tiny_stab, tiny_text
from transformers import AutoModelForCausalLM

import longpanda
from longpanda.errors import ConfigError, ModelError
from longpanda.longwatch import vocabulary
from longpanda.model.configuration import LongPandaConfig
from longpanda.processing.prompt import VIDEO_TOKEN
from longpanda.processing.tokenizer import word_tokenizer
from longpanda.types import Lesson, Sample
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

    lesson = Lesson(noise(4), (Sample("where is the key?", "left", "state"),))
    panda.model(**panda.processor.lessons([lesson])).loss.backward()
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
