"""Training on conversations: what is learned, where media stand, and packs whose rows are their conversations alone."""

import itertools

import pytest
import torch
from tiny import FAMOUS, asked, byte_tokenizer, noise, squeezing, tiny

from longpanda.errors import PromptError
from longpanda.processing.labels import IGNORED
from longpanda.processing.prompt import VIDEO_TOKEN
from longpanda.types import Conversation, Example, Turn

CLIP = "<|video|>\n"


def said(*texts):
    """Turns of user and assistant."""
    return tuple(Turn(role, text) for role, text in zip(itertools.cycle(("user", "assistant")), texts, strict=False))


LONG = Conversation((noise(6),), said(CLIP + "where is the key?", "left", "how many cards were shown?", "7"))
SHORT = Conversation((noise(2, 32, 48, seed=1),), said(CLIP + "what number is on the red circle?", "42"))
TEXT = Conversation((), said("where is the gem at the end?", "right"))
IMAGES = Conversation(
    (noise(1, seed=2), noise(1, 24, 96, seed=3)), said(f"{VIDEO_TOKEN} or {VIDEO_TOKEN} \n which is red?", "circle")
)


def learned(processor, labels):
    return processor.tokenizer.convert_ids_to_tokens(labels[labels != IGNORED])


def test_every_answer_is_learned_up_to_its_end_and_nothing_else():
    _, processor = tiny()
    batch = processor.training_batch([(LONG,)])
    assert learned(processor, batch["labels"][0]) == ["left", "<|end|>", "7", "<|end|>"]
    assert torch.equal(batch["input_ids"][batch["labels"] != IGNORED], batch["labels"][batch["labels"] != IGNORED])
    assert set(batch) >= {"attention_mask", "pixel_values"}, "one text that any language model can learn"


@pytest.mark.parametrize("panda", [tiny, lambda: squeezing("causal")])
def test_training_sees_what_ask_builds(panda):
    _, processor = panda()
    batch = processor.training_batch([(LONG,)])
    history = [("where is the key?", "left")]
    asked_now = processor(processor.chat("how many cards were shown?", history=history), [LONG.clips[0]])
    ids = asked_now["input_ids"][0]
    assert torch.equal(batch["input_ids"][0, : len(ids)], ids)
    for name in set(asked_now) - {"input_ids", "attention_mask"}:
        assert torch.equal(batch[name], asked_now[name])
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "where is the key?"}]}]
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    first = processor(text, [LONG.clips[0]])["input_ids"][0]
    assert torch.equal(batch["input_ids"][0, : len(first)], first)


def test_media_stand_where_their_markers_are():
    _, processor = tiny()
    batch = processor.training_batch([(IMAGES,)])
    ids = batch["input_ids"][0].tolist()
    runs = [
        (is_visual, len(list(group)))
        for is_visual, group in itertools.groupby(i == processor.video_token_id for i in ids)
    ]
    sizes = [sum(processor.image_processor.timeline(clip).group_tokens) for clip in IMAGES.clips]
    assert [size for is_visual, size in runs if is_visual] == sizes
    assert sizes[0] != sizes[1]


@pytest.mark.parametrize("backbone", FAMOUS)
def test_real_chat_formats_learn_all_answers(backbone):
    template, end_of_text, _, end = FAMOUS[backbone]
    _, processor = tiny(backbone, tokenizer=byte_tokenizer(template, end_of_text))
    labels = processor.training_batch([(LONG,)])["labels"][0]
    text = processor.tokenizer.decode(labels[labels != IGNORED].tolist()).replace(" ", "")
    assert text == f"left{end}7{end}"


@pytest.mark.parametrize("make", [tiny, lambda: squeezing("causal", 2), lambda: squeezing("bidirectional")])
@torch.no_grad()
def test_packed_conversations_have_the_logits_they_have_alone(make):
    model, processor = make()
    pack = (SHORT, LONG, TEXT, IMAGES)
    batch = processor.training_batch([pack, (LONG,)])
    labels = batch.pop("labels")
    logits = model(**batch).logits
    start = 0
    for conversation in pack:
        alone = processor.training_batch([(conversation,)])
        expected_labels, size = alone.pop("labels")[0], alone["input_ids"].shape[1]
        here = slice(start, start + size)
        assert torch.equal(batch["input_ids"][0, here], alone["input_ids"][0])
        assert torch.equal(batch["position_ids"][0, here], torch.arange(size))
        assert torch.equal(labels[0, here], expected_labels)
        # Sums run over other numbers of masked keys, so the last bits may differ.
        torch.testing.assert_close(logits[0, here], model(**alone).logits[0], atol=1e-4, rtol=1e-4)
        start += size
    assert (batch["block_ids"][1] == -1).sum() == batch["block_ids"].shape[1] - size_of(processor, LONG)


def size_of(processor, conversation):
    return processor.training_batch([(conversation,)])["input_ids"].shape[1]


@torch.no_grad()
def test_packs_and_examples_may_share_a_batch():
    model, processor = tiny()
    example = Example(noise(3, seed=5), (asked("where is the key?", "left"), asked("how many cards were shown?", "7")))
    batch = processor.training_batch([example, (SHORT, LONG)])
    only = [processor.training_batch([one]) for one in (example, (SHORT, LONG))]
    logits = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
    for row, one in enumerate(only):
        size = one["input_ids"].shape[1]
        expected = model(**{name: value for name, value in one.items() if name != "labels"}).logits[0]
        torch.testing.assert_close(logits[row, :size], expected, atol=1e-4, rtol=1e-4)


def test_text_alone_needs_no_pictures():
    model, processor = tiny()
    batch = processor.training_batch([(TEXT,)])
    assert not set(batch) & {"pixel_values", "patch_boxes", "frame_windows"}
    assert torch.isfinite(model(**batch).loss)


def test_a_template_that_writes_an_answer_otherwise_later_is_refused():
    template = (
        "{% for message in messages %}{% if message['role'] == 'assistant' %}"
        "<|assistant|>{% if loop.last %}{{ message['content'] }}{% endif %}<|end|>"
        "{% else %}<|user|>{{ message['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    _, processor = tiny("phi3", tokenizer=byte_tokenizer(template, "<|endoftext|>"))
    processor.training_batch([(SHORT,)])
    with pytest.raises(PromptError, match="writes '7' otherwise in another place"):
        processor.training_batch([(LONG,)])


def test_more_clips_than_markers_are_refused():
    _, processor = tiny()
    with pytest.raises(PromptError, match=r"1 <\|video\|> marker"):
        processor.training_batch([(Conversation(IMAGES.clips, SHORT.turns),)])
