"""transformers' chat messages give what `chat` and clips give; what cannot be understood is named."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import noise, save, squeezing, tiny
from transformers import pipeline

from longpanda.errors import PromptError
from longpanda.processing.frame_processor import image_clip
from longpanda.video import Sampling, decode, encode

QUESTION = "What number is on the red circle?"


def messages(*parts, text=QUESTION):
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


@pytest.fixture
def panda():
    return tiny()


@pytest.fixture
def picture():
    return Image.fromarray(noise(1).frames[0])


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_parts_are_the_text_that_the_model_learned_from(panda):
    processor = panda[1]
    said = processor.apply_chat_template(messages({"type": "video"}), add_generation_prompt=True)
    assert said == processor.chat(QUESTION)
    several = processor.apply_chat_template([messages({"type": "image"})] * 2, add_generation_prompt=True)
    assert several == [said] * 2
    talk = [*messages({"type": "video"}), {"role": "assistant", "content": "42"}, *messages(text="Where is the key?")]
    asked = processor.chat("Where is the key?", history=[(QUESTION, "42")])
    assert processor.apply_chat_template(talk, add_generation_prompt=True) == asked


def test_parts_of_text_follow_each_other_as_they_are_written(panda):
    processor = panda[1]
    parts = [
        {"type": "video"},
        {"type": "text", "text": " What number is "},
        {"type": "text", "text": "on the card?\n"},
    ]
    said = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    assert said == processor.chat("What number is on the card?")


OPTIONS = {
    "processor_kwargs": {"truncation": True},
    "return_tensors": "np",
    "return_assistant_tokens_mask": True,
    "max_length": 9,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_would_be_ignored_are_refused(panda, name):
    options, said = {name: OPTIONS[name]}, OPTIONS[name]
    said = "truncation=True" if isinstance(said, dict) else f"{name}={said!r}"
    with pytest.raises(PromptError, match=f"{said}; expected prompts padded on the left"):
        panda[1].apply_chat_template(messages(), tokenize=True, **options)


def test_options_that_say_what_is_done_anyway_change_nothing(panda):
    apply, clip = panda[1].apply_chat_template, {"type": "video", "video": noise(2)}
    usual = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
    given = {"return_tensors": "pt", "processor_kwargs": {"padding": True, "add_special_tokens": False}}
    assert same(apply(messages(clip), **usual, **given), apply(messages(clip), **usual))


def test_messages_with_media_are_the_models_inputs(panda, picture, tmp_path):
    processor, film = panda[1], tmp_path / "film.mp4"
    encode(list(noise(8).frames), film, fps=2.0)
    options = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
    for media, clip in (
        ({"type": "video", "video": noise(3)}, noise(3)),
        ({"type": "image", "image": picture}, image_clip(noise(1).frames[0])),
        ({"type": "image", "image": np.asarray(picture)}, image_clip(noise(1).frames[0])),
        ({"type": "video", "path": str(film)}, decode(film, Sampling(frames=3).seconds_for(4.0))),
    ):
        given = {"num_frames": 3} if "path" in media else {}
        inputs = processor.apply_chat_template(messages(media), **options, **given)
        assert same(inputs, processor(processor.chat(QUESTION), [clip]))
    by_rate = processor.apply_chat_template(messages(media), **options, fps=0.75)
    assert same(by_rate, processor(processor.chat(QUESTION), [decode(film, Sampling(fps=0.75).seconds_for(4.0))]))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"type": "audio"}, "a part of type 'audio' in a message; expected text, image or video"),
        ({"type": "video"}, "a part of type 'video' without one"),
        (
            {"type": "video", "path": "film.mp4"},
            "'film.mp4' with num_frames=None and fps=None; expected one of the two",
        ),
        ({"type": "video", "video": np.zeros((2, 8, 8, 3))}, "a video of type ndarray, which has no times"),
        ({"type": "image", "image": "no-such.png"}, "a picture that cannot be read"),
        ({"type": "image", "image": np.zeros((8, 8))}, r"a picture of shape \[8, 8\] and type float64"),
    ],
)
def test_parts_that_cannot_be_understood_are_named(panda, part, message):
    with pytest.raises(PromptError, match=message):
        panda[1].apply_chat_template(messages(part), tokenize=True)


def test_the_processor_is_called_as_transformers_calls_its_own(panda, picture):
    processor, clip = panda[1], image_clip(noise(1).frames[0])
    expected = processor(processor.chat(QUESTION), [clip])
    assert same(processor(images=picture, text=processor.chat(QUESTION), return_tensors="pt"), expected)
    assert same(processor(text=processor.chat(QUESTION), videos=[clip], padding=True), expected)
    two = processor(images=[picture] * 2, text=[processor.chat(QUESTION)] * 2, padding=True)
    assert same(two, processor([processor.chat(QUESTION)] * 2, [[clip]] * 2))
    with pytest.raises(PromptError, match="more than one of clips, images and videos"):
        processor(processor.chat(QUESTION), [clip], images=[picture])
    with pytest.raises(PromptError, match=r"truncation=True; expected prompts padded on the left"):
        processor(processor.chat(QUESTION), [clip], truncation=True)


def test_a_pipeline_answers_as_the_model(picture, tmp_path):
    """Also in half precision, which would have no room for a frame's seconds."""
    save(squeezing("causal"), tmp_path)
    answer = pipeline("image-text-to-text", model=str(tmp_path), dtype=torch.bfloat16)
    inputs = answer.processor(answer.processor.chat(QUESTION), [image_clip(noise(1).frames[0])])
    assert inputs.to(torch.bfloat16)["frame_seconds"].dtype == torch.float64
    new = answer.model.generate(**inputs, max_new_tokens=4, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    asked = messages({"type": "image", "image": picture})
    said = answer(text=asked, max_new_tokens=4, do_sample=False, return_full_text=False)[0]["generated_text"]
    assert said == answer.processor.tokenizer.decode(new, skip_special_tokens=True)


def test_times_in_half_precision_are_refused(tmp_path):
    model, processor = squeezing("causal")
    inputs = processor(processor.chat(QUESTION), [noise(4)])
    with pytest.raises(PromptError, match=r"frame_seconds of torch\.bfloat16, which is too coarse for the seconds"):
        model(**inputs | {"frame_seconds": inputs["frame_seconds"].to(torch.bfloat16)})
