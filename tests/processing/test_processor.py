"""Prompts and pictures as the model takes them."""

import numpy as np
import pytest
import torch
from tiny import FAMOUS, byte_tokenizer, noise, tiny

from longpanda.errors import ConfigError, PromptError, counted
from longpanda.processing.frame_processor import image_clip
from longpanda.types import Prompt, Timeline


@pytest.fixture(scope="module")
def processor():
    return tiny()[1]


def pieces(processor, ids):
    return processor.tokenizer.convert_ids_to_tokens(ids)


@pytest.mark.parametrize(
    ("apart", "written"),
    [(0.0, [0, 3, 6, 9, 12, 40, 41]), (3.0, [0, 3, 6, 9, 12, 40]), (5.0, [0, 6, 12, 40]), (30.0, [0, 40]), (None, [])],
)
def test_times_are_written_so_far_apart_at_least(processor, apart, written):
    timeline = Timeline((0.0, 3.0, 6.0, 9.0, 12.0, 40.0, 41.0), (2,) * 7, apart)
    tokens = pieces(processor, processor.prompt("<|video|>", [timeline]).input_ids)
    assert [int(token[:-1]) for token in tokens if token.endswith("]")] == written
    assert tokens.count("<|video|>") == 14


def test_a_marker_becomes_times_and_placeholders(processor):
    inputs = processor(processor.chat("Where is the key?"), [noise(2, step_seconds=61.0)])
    cells = ["<|video|>"] * 10  # a frame token and 3 x 3 cells
    question = ["<|question|>", "where", " is", " the", " key", "?", "<|answer|>"]
    assert pieces(processor, inputs["input_ids"][0]) == ["[0:", "00]", *cells, "[1:", "01]", *cells, *question]
    assert inputs["attention_mask"].tolist() == [[1] * 31]
    assert inputs["pixel_values"].shape == (2, 3, 48, 48)


def test_videos_images_and_text_share_a_prompt(processor):
    image = image_clip(noise(1, seed=3).frames[0])
    inputs = processor("red <|video|> left <|video|> right <|video|>", [noise(2, 24, 48), image, noise(5, seed=1)])
    tokens = pieces(processor, inputs["input_ids"][0])
    assert tokens.count("<|video|>") == 2 * (1 + 2 * 3) + 10 + 5 * 10
    left, right = tokens.index(" left"), tokens.index(" right")
    assert tokens[left + 2 : right] == ["<|video|>"] * 10 + [" "][: right - left - 12], "an image has no time"
    assert inputs["frame_windows"].tolist() == [[0, 1, -1, -1], [2, -1, -1, -1], [3, 4, 5, 6], [7, -1, -1, -1]]
    assert inputs["patch_boxes"].tolist() == [[0, 4, 0, 6]] * 2 + [[0, 6, 0, 6]] * 6
    assert not inputs["pixel_values"][:2, :, 32:].any()


def test_text_alone_is_a_prompt(processor):
    inputs = processor(["left", "what is right"])
    assert set(inputs) == {"input_ids", "attention_mask"}
    assert inputs["attention_mask"].tolist() == [[0, 0, 1], [1, 1, 1]]


def test_batches_are_padded_on_the_left(processor):
    texts = [processor.chat("Where is the key?"), processor.chat("What number is on the red circle?")]
    clips = [noise(2), noise(5, 32, 48, seed=1)]
    batch = processor(texts, [[clip] for clip in clips])
    for row, (text, clip) in enumerate(zip(texts, clips, strict=True)):
        alone = processor(text, [clip])
        length = alone["input_ids"].shape[1]
        assert torch.equal(batch["input_ids"][row, -length:], alone["input_ids"][0])
        assert batch["attention_mask"][row].sum() == length
        assert (batch["input_ids"][row, :-length] == processor.tokenizer.pad_token_id).all()
    assert (batch["attention_mask"].sum(1) < batch["attention_mask"].shape[1]).any()


@pytest.mark.parametrize(("text", "clips"), [("<|video|> <|video|> what", 1), ("what", 1), ("<|video|> what", 0)])
def test_markers_without_clips_are_refused_with_both_counts(processor, text, clips):
    markers = text.count("<|video|>")
    found = counted(markers, r"<\|video\|> marker")
    with pytest.raises(PromptError, match=rf"{found} in the text; expected {clips}, one per"):
        processor(text, [noise(1)] * clips)


def test_a_marker_in_the_question_is_refused(processor):
    with pytest.raises(PromptError, match=r"2 .* markers in the text; expected 1"):
        processor(processor.chat("what is <|video|>?"), [noise(1)])


def test_texts_and_lists_of_clips_are_paired(processor):
    with pytest.raises(PromptError, match="2 texts and 1 list of clips"):
        processor(["<|video|>", "<|video|>"], [[noise(1)]])
    with pytest.raises(PromptError, match="2 texts and 2 clips; expected one list of clips per text"):
        processor(["<|video|>", "<|video|>"], [noise(1), noise(1)])


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(processor, question):
    with pytest.raises(PromptError, match="an empty question"):
        processor.chat(question)


def test_a_truncated_prompt_is_refused():
    with pytest.raises(PromptError, match="9 visual placeholders in the text; expected 10, the visual tokens"):
        Prompt((3,) * 9, 10, 3)


@pytest.mark.parametrize("backbone", FAMOUS)
def test_real_chat_formats(backbone):
    template, end_of_text, around, end = FAMOUS[backbone]
    _, processor = tiny(backbone, tokenizer=byte_tokenizer(template, end_of_text))
    assert processor.chat("What number?") == around.format("What number?")
    whole = processor.chat("What number?", "42")
    assert whole.startswith(around.format("What number?"))
    assert whole.rstrip().removesuffix(end_of_text).rstrip().removesuffix(end).endswith("42") or end == end_of_text
    assert pieces(processor, [processor.end_token_id]) == [end]


def test_a_new_processor_gives_the_configuration_its_ids():
    model, processor = tiny("llama", tokenizer=byte_tokenizer(*FAMOUS["llama"][:2]))
    config, tokenizer = model.config, processor.tokenizer
    assert config.video_token_id == tokenizer.convert_tokens_to_ids("<|video|>")
    assert config.eos_token_id == processor.end_token_id
    assert config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id
    assert config.text_config.vocab_size == len(tokenizer) > config.video_token_id


def test_a_chat_format_that_never_ends_is_refused():
    tokenizer = byte_tokenizer("{% for message in messages %}{{ message['content'] }} {% endfor %}", "</s>")
    with pytest.raises(ConfigError, match="writes ' ' after an answer; expected a special token"):
        tiny(tokenizer=tokenizer)


def test_the_picture_is_resized_to_whole_cells(processor):
    assert processor.image_processor.size_for(720, 1280) == (32, 48)
    assert processor.image_processor.size_for(1, 1000) == (16, 48)
    grey = np.full((1, 90, 160, 3), 77, np.uint8)
    inputs = processor("<|video|>", [noise(1).__class__(grey, np.zeros(1), 0.0)])
    assert inputs["pixel_values"].shape == (1, 3, 32, 48)
    assert (inputs["pixel_values"] == 77).all()


def test_what_are_no_clips_or_no_text_is_refused(processor):
    text = processor.chat("Where is the key?")
    for clips in ([np.zeros((2, 32, 32, 3), np.uint8)], [[noise(2)]]):
        with pytest.raises(PromptError, match=r"clips of type (ndarray|list); expected VideoClip"):
            processor(text, clips)
    with pytest.raises(PromptError, match="no text"):
        processor([])
