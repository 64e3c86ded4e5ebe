"""Chat templates: what a language model is used to at a text's beginning, and what is wrong with a template."""

import pytest
from tiny import LLAMA_TEMPLATE, asked, byte_tokenizer, noise, tiny
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from longpanda.errors import ConfigError, PromptError
from longpanda.inference import load
from longpanda.inference.load import bundled
from longpanda.processing import PLAIN_TEMPLATE
from longpanda.processing.templates import rendered
from longpanda.types import Example


def with_template(template, adds_bos):
    """A processor whose tokenizer has a bos_token, and puts it before a text by itself or does not."""
    tokenizer = byte_tokenizer(template, "</s>")
    if adds_bos:
        start = (tokenizer.bos_token, tokenizer.bos_token_id)
        tokenizer._tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[start])
    return tiny("llama", tokenizer=tokenizer)[1]


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_prompt_begins_as_the_tokenizer_begins_a_text(adds_bos):
    processor = with_template(PLAIN_TEMPLATE, adds_bos)
    bos = processor.tokenizer.bos_token_id
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "where?"}]}]
    texts = [processor.chat("where?"), processor.apply_chat_template(messages, add_generation_prompt=True)]
    example = processor.training_batch([Example(noise(2), (asked("where?", "left"),))])
    for ids in ([processor.tokenizer.encode(text, add_special_tokens=False) for text in texts], example["input_ids"]):
        for row in ids:
            assert [int(token) == bos for token in row[:2]] == [adds_bos, False]


def test_a_chat_format_of_its_own_says_itself_where_a_text_begins():
    processor = with_template(LLAMA_TEMPLATE, adds_bos=True)
    ids = processor.tokenizer.encode(processor.chat("where?"), add_special_tokens=False)
    assert ids.count(processor.tokenizer.bos_token_id) == 1
    bare = with_template(LLAMA_TEMPLATE.replace("bos_token + ", ""), adds_bos=True)
    assert bare.tokenizer.bos_token_id not in bare.tokenizer.encode(bare.chat("where?"), add_special_tokens=False)


@pytest.mark.parametrize("name", bundled())
def test_bundled_models_are_asked_as_they_were_taught(name):
    processor = load(name).processor
    tokens = processor.tokenizer.convert_ids_to_tokens(
        processor(processor.chat("Where is the key?", clips=0))["input_ids"][0]
    )
    assert tokens == ["<|question|>", "where", " is", " the", " key", "?", "<|answer|>"]


def test_a_template_that_is_no_jinja_is_named():
    processor = with_template(PLAIN_TEMPLATE, adds_bos=False)
    for template in ("{{", "{{ ( }}", "{% if message %}"):
        processor.chat_template = template
        with pytest.raises(ConfigError, match=r"a chat template that is not valid Jinja: .* \(line 1\)"):
            processor.chat("where?")


def test_messages_that_a_template_refuses_are_named():
    processor = with_template(PLAIN_TEMPLATE, adds_bos=False)
    processor.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(PromptError, match=r"does not take: roles must alternate; .*another chat_template"):
        processor.chat("where?")


def test_of_several_templates_one_is_named():
    processor = with_template(PLAIN_TEMPLATE, adds_bos=False)
    messages = [{"role": "user", "content": "where?"}]
    processor.chat_template = {"short": "{{ messages[0]['content'] }}", "default": PLAIN_TEMPLATE}
    assert processor.apply_chat_template(messages, "short") == "where?"
    assert processor.apply_chat_template(messages) == "User: where?\n"
    del processor.chat_template["default"]
    with pytest.raises(ConfigError, match=r"no chat template 'default' \(this processor has: short\)"):
        processor.chat("where?")


def test_a_template_that_is_not_there_is_no_text():
    processor = with_template(PLAIN_TEMPLATE, adds_bos=False)
    for template in (PLAIN_TEMPLATE, {"default": PLAIN_TEMPLATE}):
        processor.chat_template = template
        with pytest.raises(ConfigError, match=r"no chat template 'shrot' \(this processor has: default\)"):
            processor.apply_chat_template([{"role": "user", "content": "where?"}], "shrot")
    processor.chat_template = None
    with pytest.raises(ConfigError, match=r"no chat template 'default' \(this processor has: none\)"):
        processor.chat("where?")


def test_a_tokenizer_that_writes_bos_alone_before_what_it_does_not_know_has_one():
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(BPE({"<s>": 0, "</s>": 1, "w": 2}, [])))
    words.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    words._tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    assert words.encode("a") == [0]
    assert rendered(words, [[{"role": "user", "content": "w"}]], PLAIN_TEMPLATE) == ["<s>User: w\n"]
