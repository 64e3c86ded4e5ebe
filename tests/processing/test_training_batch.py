"""Training batches: questions side by side are questions alone, and labels stand where they belong."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from tiny import FAMOUS, asked, byte_tokenizer, noise, tiny

from longpanda.errors import ConfigError, PromptError
from longpanda.model.configuration import StabConfig
from longpanda.processing.labels import IGNORED, labels_of
from longpanda.train.positions import from_mask
from longpanda.types import Example

QUESTIONS = [
    asked("What number is on the red circle?", "42"),
    asked("Where is the key at the end?", "left"),
    asked("How many cards were shown?", "7"),
]


def alone(panda, clip, sample):
    """Logits of one question and its answer, as the model is asked at inference."""
    model, processor = panda
    inputs = processor(processor.chat(sample.question, sample.target), [clip])
    return inputs["input_ids"][0], model(**inputs).logits[0]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("backbone", ["qwen2", "phi3", "llama"])
@torch.no_grad()
def test_questions_side_by_side_are_questions_alone(backbone, attention):
    panda = model, processor = tiny(backbone)
    model.set_attn_implementation(attention)
    clips = [noise(3), noise(6, 32, 48, seed=1)]
    examples = [Example(clips[0], tuple(QUESTIONS)), Example(clips[1], tuple(QUESTIONS[:1]))]
    batch = processor.training_batch(examples)
    labels = batch.pop("labels")
    logits = model(**batch).logits
    for row, example in enumerate(examples):
        visual = sum(processor.image_processor.timeline(example.clip).group_tokens) + 2 * len(example.clip)
        start = visual
        for sample in example.samples:
            ids, expected = alone(panda, example.clip, sample)
            length = len(ids) - visual
            here = slice(start, start + length)
            assert torch.equal(batch["input_ids"][row, here], ids[visual:])
            assert torch.equal(batch["position_ids"][row, here], torch.arange(visual, len(ids)))
            # Sums run over other numbers of masked keys, so the last bits may differ.
            torch.testing.assert_close(logits[row, here], expected[visual:], atol=1e-4, rtol=1e-4)
            start += length
        assert (labels[row, start:] == IGNORED).all()


def test_other_attentions_refuse_what_they_cannot_see():
    model, processor = tiny()
    batch = processor.training_batch([Example(noise(1), tuple(QUESTIONS))])
    model.config.text_config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(ConfigError, match="side by side with attn_implementation='flash_attention_2'"):
        model(**batch)


def test_labels_are_the_answers_and_their_ends():
    _, processor = tiny()
    batch = processor.training_batch([Example(noise(2), tuple(QUESTIONS))])
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    learned = labels != IGNORED
    assert torch.equal(ids[learned], labels[learned])
    answers = processor.tokenizer.convert_ids_to_tokens(labels[learned])
    assert answers == ["4", "2", "<|end|>", "left", "<|end|>", "7", "<|end|>"]
    before = [index for index in learned.nonzero().flatten().tolist() if not learned[index - 1]]
    assert [processor.tokenizer.convert_ids_to_tokens(int(ids[index - 1])) for index in before] == ["<|answer|>"] * 3


@pytest.mark.parametrize("backbone", FAMOUS)
def test_real_chat_formats_learn_the_answer_and_the_token_that_ends_it(backbone):
    template, end_of_text, _, end = FAMOUS[backbone]
    _, processor = tiny(backbone, tokenizer=byte_tokenizer(template, end_of_text))
    labels = processor.training_batch([Example(noise(2), (QUESTIONS[1],))])["labels"][0]
    learned = labels[labels != IGNORED].tolist()
    assert processor.tokenizer.decode(learned).replace(" ", "") == "left" + end
    assert learned[-1] == processor.end_token_id


def test_an_example_without_questions_may_stand_beside_others():
    model, processor = tiny()
    batch = processor.training_batch([Example(noise(2), ()), Example(noise(3, seed=1), tuple(QUESTIONS[:1]))])
    assert (batch["labels"][0] == IGNORED).all()
    labels = batch.pop("labels")
    mixed = model(**batch, labels=labels).loss
    only = model(**processor.training_batch([Example(noise(3, seed=1), tuple(QUESTIONS[:1]))])).loss
    torch.testing.assert_close(mixed, only)


@torch.no_grad()
def test_one_question_an_example_is_the_same_without_a_mask_of_blocks():
    """Padding comes last, so positions are those of each row alone; `spread` may still move them."""
    model, processor = tiny()
    examples = [Example(noise(5), (QUESTIONS[1],)), Example(noise(3, seed=1), (QUESTIONS[0],)), Example(noise(1), ())]
    plain = processor.training_batch(examples)
    blocks = processor.training_batch([*examples, Example(noise(1), tuple(QUESTIONS))])
    assert "position_ids" not in plain
    length = plain["input_ids"].shape[1]
    assert torch.equal(from_mask(plain["attention_mask"]), blocks["position_ids"][:3, :length])
    logits, expected = model(**plain).logits, model(**blocks).logits[:3, :length]
    shown = plain["attention_mask"].bool()
    torch.testing.assert_close(logits[shown], expected[shown], atol=1e-4, rtol=1e-4)


def test_without_questions_there_are_pictures_only():
    _, processor = tiny()
    batch = processor.training_batch([Example(noise(2), ()), Example(noise(3), ())])
    assert set(batch) == {"pixel_values", "patch_boxes", "frame_windows", "frame_seconds", "clip_frames"}


def named_cells(frames):
    return np.arange(frames * 9 * 2).reshape(frames, 3, 3, 2)


def test_cell_labels_stand_beside_their_visual_tokens():
    _, processor = tiny()
    named, unknown = Example(noise(2), (), named_cells(2)), Example(noise(1), ())
    labels = processor.training_batch([unknown, named])["cell_labels"]
    assert labels.shape == (30, 2)
    assert (labels[:10] == IGNORED).all(), "nothing is known of the first clip"
    assert (labels[[10, 20]] == IGNORED).all(), "frame tokens show no cell"
    assert torch.equal(labels[11:20], torch.from_numpy(named_cells(2)[0].reshape(9, 2)))
    assert torch.equal(labels[21:30], torch.from_numpy(named_cells(2)[1].reshape(9, 2)))


def test_a_cell_label_names_what_its_token_sees():
    """Only the token of the cell that changes, and tokens of whole frames, change with it."""
    from longpanda.model.modeling import LongPandaForConditionalGeneration

    model, processor = tiny()
    model.config.stab_config.window_frames = 1
    model = LongPandaForConditionalGeneration(model.config).eval()
    clip = noise(1)
    changed = clip.frames.copy()
    changed[0, 16:32, 32:48] = 0  # row 1, column 2: cell 5, token 6
    tokens = []
    for frames in (clip.frames, changed):
        batch = processor.training_batch([Example(dataclasses.replace(clip, frames=frames), ())])
        with torch.no_grad():
            tokens.append(model.visual_embeddings(**batch))
    difference = (tokens[0] - tokens[1]).abs().amax(1)
    assert set(difference.topk(2).indices.tolist()) >= {6}
    assert difference[1:].argmax() == 5


def test_labels_of_regions_stand_frame_by_frame():
    _, processor = tiny()
    regions = processor.training_batch([Example(noise(2), (), named_cells(2)), Example(noise(1), ())])["region_labels"]
    assert regions.shape == (3, 9, 2)
    assert torch.equal(regions[:2], torch.from_numpy(named_cells(2).reshape(2, 9, 2)))
    assert (regions[2] == IGNORED).all(), "nothing is known of the second clip"


@pytest.mark.parametrize("split_tokens", [False, True])
def test_on_a_finer_grid_what_lies_wholly_in_a_region_has_its_label(split_tokens):
    """8 cells over 3 regions: cells 2 and 5 of a side show parts of two."""
    stab = StabConfig(width=32, heads=4, patch_px=4, image_px=64, lste_width=16, split_tokens=split_tokens)
    labels = labels_of([Example(noise(2, 64, 64), (), named_cells(2))], stab)["cell_labels"]
    frames = labels.view(2, 1 + 8 * (8 + split_tokens), 2)
    assert (frames[:, 0] == IGNORED).all(), "frame tokens show no cell"
    cells = frames[:, 1:].view(2, 8, 8 + split_tokens, 2)
    assert (cells[:, :, 8:] == IGNORED).all(), "nor do tokens at the ends of rows"
    region = [0, 0, None, 1, 1, None, 2, 2]
    for frame, row, column in itertools.product(range(2), range(8), range(8)):
        known = region[row] is not None and region[column] is not None
        wanted = named_cells(2)[frame, region[row], region[column]].tolist() if known else [IGNORED] * 2
        assert cells[frame, row, column].tolist() == wanted


@pytest.mark.parametrize("shape", [(1, 3, 3, 2), (3, 3, 3, 2), (2, 9, 2)])
def test_labels_of_other_frames_are_refused(shape):
    _, processor = tiny()
    with pytest.raises(ConfigError, match=r"cell labels \[.*; expected \[.*\]: frames, rows, columns, attributes"):
        processor.training_batch([Example(noise(2), (), np.zeros(shape, np.int64))])


@pytest.mark.parametrize("shape", [(1, 3, 3, 4), (1, 1, 3, 2)])
def test_labels_unlike_those_of_the_clip_before_are_refused(shape):
    _, processor = tiny()
    with pytest.raises(ConfigError, match=r"expected \[1, 3, 3, 2\]: frames, rows, columns, attributes"):
        processor.training_batch(
            [Example(noise(2), (), named_cells(2)), Example(noise(1), (), np.zeros(shape, np.int64))]
        )


def test_labels_finer_than_the_models_cells_are_refused():
    _, processor = tiny()
    with pytest.raises(ConfigError, match=r"cell labels of 3 x 4 regions for 3 x 3 cells; .* use a larger STAB size"):
        processor.training_batch([Example(noise(2), (), np.zeros((2, 3, 4, 2), np.int64))])


@pytest.mark.parametrize(("question", "answer"), [("Where is the giraffe?", "left"), ("Where is the key?", "Paris 7")])
def test_words_that_the_tokenizer_does_not_know_are_refused(question, answer):
    _, processor = tiny()
    examples = [Example(noise(1), tuple(QUESTIONS)), Example(noise(1), (asked(question, answer),))]
    with pytest.raises(ConfigError, match=r"does not know: '(giraffe\?|Paris)'; .* add them to vocabulary\(\)"):
        processor.training_batch(examples)


def test_a_time_that_the_tokenizer_does_not_know_is_refused():
    _, processor = tiny()
    clip = dataclasses.replace(noise(1), pts_seconds=np.array([300 * 60.0]))
    late = dataclasses.replace(noise(2), pts_seconds=np.array([0.0, 300 * 60.0]))
    processor.training_batch([Example(clip, tuple(QUESTIONS))])  # the time of a single frame is not written
    with pytest.raises(ConfigError, match=r"does not know: '\[300:00\]'"):
        processor.training_batch([Example(late, tuple(QUESTIONS))])


def test_an_unknown_token_that_also_ends_texts_is_no_unknown_word():
    template, end_of_text, *_ = FAMOUS["qwen2"]
    tokenizer = byte_tokenizer(template, end_of_text)
    tokenizer.unk_token = end_of_text  # as GPT-2's
    _, processor = tiny(tokenizer=tokenizer)
    batch = processor.training_batch([Example(noise(2), tuple(QUESTIONS)), Example(noise(1), tuple(QUESTIONS[:1]))])
    assert (batch["input_ids"] == tokenizer.unk_token_id).any()


def test_a_prompt_that_changes_with_its_answer_is_refused():
    tokenizer = byte_tokenizer(
        "{{ messages | length }}{% for message in messages %}{{ message['content'] }}{{ eos_token }}{% endfor %}",
        "</s>",
    )
    _, processor = tiny(tokenizer=tokenizer)
    with pytest.raises(PromptError, match="whose prompt changes when the answer follows"):
        processor.training_batch([Example(noise(1), (QUESTIONS[0],))])
