"""The word tokenizer of generated worlds: nothing is lost of what they say, and each word is one token."""

import numpy as np
import pytest
from tiny import FAMOUS, byte_tokenizer

from longpanda.errors import ConfigError
from longpanda.longwatch import FAMILIES, PRACTICE, Split, generate, scene_seed, vocabulary
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS
from longpanda.processing.prompt import timestamp
from longpanda.processing.tokenizer import unknown_words, with_words, word_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer(vocabulary())


def pieces(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))


def test_questions_and_answers_survive_the_round_trip(tokenizer):
    rng = np.random.default_rng(0)
    scenes = [generate(scene_seed(Split.DEV, index), 120.0) for index in range(12)]
    families = (*FAMILIES.values(), *PRACTICE.values())
    scripts = [
        draw(scene_seed(Split.DEV, index), LEVELS["steady"]) for draw in ROOM_SCRIPTS.values() for index in range(4)
    ]
    scenes += [script.scene(600.0) for script in scripts]
    samples = [sample for scene in scenes for family in families for sample in family.ask(scene, rng)]
    answers = {answer for family in families for answer in family.answers}
    texts = {sample.question for sample in samples} | {sample.target for sample in samples} | answers
    assert len(texts) > 200
    assert {sample.family for sample in samples} == {family.name for family in families}
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.unk_token_id not in ids, text
        assert tokenizer.decode(ids) == text.lower()


def test_one_word_is_one_token_and_digits_are_split(tokenizer):
    assert pieces(tokenizer, "What number is 42?") == ["what", " number", " is", " ", "4", "2", "?"]


def test_a_time_is_two_tokens(tokenizer):
    assert pieces(tokenizer, timestamp(3725.4)) == ["[62:", "05]"]
    assert pieces(tokenizer, timestamp(0)) == ["[0:", "00]"]
    longest = [pieces(tokenizer, timestamp(second)) for second in range(0, 240 * 60, 59)]
    assert all(len(time) == 2 and "<|unknown|>" not in time for time in longest)


def test_an_unknown_word_is_one_unknown_token(tokenizer):
    assert pieces(tokenizer, "the giraffe is red") == ["the", "<|unknown|>", " is", " red"]


def test_special_tokens_keep_their_meaning(tokenizer):
    assert pieces(tokenizer, "<|video|><|question|>what<|answer|>4<|end|>") == [
        "<|video|>",
        "<|question|>",
        "what",
        "<|answer|>",
        "4",
        "<|end|>",
    ]
    assert tokenizer.decode(tokenizer.encode("4<|end|>", add_special_tokens=False), skip_special_tokens=True) == "4"


def test_more_words_leave_all_others_as_they_are():
    small = word_tokenizer(["left", "right"])
    large = with_words(small, ["never", "left", ":"])
    assert small.get_vocab().items() < large.get_vocab().items()
    assert large.decode(large.encode("Never left: right")) == "never left: right"
    assert small.unk_token_id in small.encode("never")
    assert large.unk_token_id not in large.encode("never left: right")
    assert large.all_special_ids == small.all_special_ids
    assert large.chat_template == small.chat_template


TEXTS = ["Paris", "ice cream", "it?", "new-york", "Is it?", "Apollo 11", "Zürich"]


@pytest.mark.parametrize("make", [word_tokenizer, lambda texts: with_words(word_tokenizer(["7"]), texts)])
def test_a_vocabulary_is_split_as_texts_are(make):
    tokenizer = make(TEXTS)
    for text in (*TEXTS, "Is ice cream new? Paris it-cream", "york"):
        assert unknown_words(tokenizer, text) == [], text
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    assert unknown_words(tokenizer, "Is it London? Is London it?") == ["London?", "London"]
    assert unknown_words(tokenizer, "it\tcream") == ["it\tcream"], "only white space is unknown"


def test_a_tokenizer_that_spells_needs_no_words():
    template, end_of_text, *_ = FAMOUS["qwen2"]
    with pytest.raises(ConfigError, match=r"words for a tokenizer of type BPE; expected a tokenizer of whole words"):
        with_words(byte_tokenizer(template, end_of_text), ["never"])
