"""A new video model on a pretrained language model."""

import pytest
import torch
from tiny import noise, tiny_stab, tiny_text
from transformers import AutoModelForCausalLM

import longpanda
from longpanda.errors import ModelError
from longpanda.longwatch import vocabulary
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
