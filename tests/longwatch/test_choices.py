"""Options: what they are, that nothing but the video tells the right one, and what an answer earns."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.answers import NEVER, seconds_in
from longpanda.longwatch.choices import INSTRUCTION, Options, choices, in_words, lettered, mark
from longpanda.longwatch.letters import LETTERS
from longpanda.longwatch.suite import SuitePlan
from longpanda.types import Reply, Sample, Score

PER_FAMILY = 240
SIZES = {
    "needle": 8,
    "multikey": 8,
    "chain": 8,
    "grounding": 8,
    "sequence": 8,
    "count": 5,
    "state": 4,
    "order": 2,
}


@pytest.fixture(scope="module")
def samples():
    return list(SuitePlan(minutes=(3.0,), per_cell=PER_FAMILY, split="dev").samples())


@pytest.fixture(scope="module")
def rotated(samples):
    return choices(samples)


@pytest.fixture(scope="module")
def first(rotated):
    return [sample for sample in rotated if sample.metadata["rotation"] == 0]


def _options(sample):
    return sample.metadata["choices"]


def _right(sample):
    return _options(sample)[LETTERS.index(sample.target)]


def _of(first, *families):
    return [sample for sample in first if sample.family in families]


def test_every_question_is_asked_with_the_right_option_in_every_place(samples, rotated):
    asked = {}
    for sample in rotated:
        asked.setdefault((sample.video, sample.metadata["of"]), []).append(sample)
    assert len({(sample.video, sample.question) for sample in rotated}) == len(rotated)
    for sample in samples:
        places = asked[sample.video, sample.question]
        size = SIZES[sample.family]
        assert sorted(one.target for one in places) == sorted(LETTERS[:size])
        assert {_right(one) for one in places} == {sample.target}
        assert len({frozenset(_options(one)) for one in places}) == 1


def test_all_that_is_to_be_read_is_in_the_question(rotated):
    sample = next(one for one in rotated if one.family == "state")
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", _options(sample), strict=True)]
    assert sample.question.split("\n") == [sample.metadata["of"], *lines, INSTRUCTION]
    assert sample.metadata["instruction"] == ""


def test_never_is_an_option_wherever_a_family_can_refuse(rotated):
    for sample in rotated:
        assert (NEVER in _options(sample)) == (NEVER in FAMILIES[sample.family].answers)


def test_wrong_numbers_and_intervals_are_true_of_other_cards(samples, first):
    for family in ("needle", "grounding"):
        for sample in _of(first, family)[:50]:
            own = [one for one in samples if one.video == sample.video]
            numbers = {one.target for one in own}
            spans = {span for one in own for span in one.evidence_seconds}
            for text in {*_options(sample)} - {_right(sample), NEVER}:
                times = seconds_in(text)
                near = any(abs(times[0] - a) <= 0.5 and abs(times[1] - b) <= 0.5 for a, b in spans) if times else False
                assert text in numbers or near, (sample, text)


def test_no_wrong_option_would_be_marked_right(first):
    for sample in first:
        for text in _options(sample):
            earned = FAMILIES[sample.family].kind.mark(text, _right(sample)).value
            assert earned == float(text == _right(sample)), sample


def test_the_order_asked_for_backwards_is_always_an_option(first):
    for sample in _of(first, "sequence"):
        backwards = {", ".join(reversed(text.split(", "))) for text in _options(sample)}
        assert backwards == {*_options(sample)}


def test_options_stay_when_only_the_length_grows():
    samples = SuitePlan(
        minutes=(3.0, 4.0), per_cell=12, split="dev", families=("needle", "count", "sequence")
    ).samples()
    asked = {}
    for sample in choices(list(samples)):
        asked.setdefault(sample.metadata["minutes"], []).append(sample.question)
    assert asked[3.0] == asked[4.0]


def test_another_seed_gives_other_places(samples, first):
    other = [one for one in choices(samples, seed=1) if one.metadata["rotation"] == 0]
    same = np.mean([one.target == two.target for one, two in zip(first, other, strict=True)])
    assert 0.1 < same < 0.4


RULES = {
    **{
        f"always {letter}": lambda options, at=at: options[min(at, len(options) - 1)]
        for at, letter in enumerate(LETTERS)
    },
    "the longest": lambda options: max(options, key=len),
    "the shortest": lambda options: min(options, key=len),
    "most like the others": lambda options: max(options, key=lambda one: _likeness(one, options)),
    "the odd one out": lambda options: min(options, key=lambda one: _likeness(one, options)),
}
VALUE_RULES = {
    "the least": lambda values: int(np.argmin(values)),
    "the greatest": lambda values: int(np.argmax(values)),
    "the median": lambda values: int(np.argmin(np.abs(values - np.median(values)))),
    "the outlier": lambda values: int(np.argmax(np.abs(values - np.median(values)))),
}


def _likeness(one, options):
    """How many letter pairs an option shares with all."""
    pairs = [Counter(pairwise(text)) for text in (one, *options)]
    return sum((pairs[0] & other).total() for other in pairs[1:])


def _near_chance(share, sample_count, size):
    """Within three standard errors, and the little that "never" is above 1 / options."""
    error = (size - 1) ** 0.5 / size / sample_count**0.5
    return abs(share - 1 / size) < 3 * error + 0.03


@pytest.mark.parametrize("family", SIZES)
@pytest.mark.parametrize("rule", RULES)
def test_no_rule_about_letters_and_words_finds_the_right_option(first, family, rule):
    own = _of(first, family)
    share = np.mean([RULES[rule](_options(sample)) == _right(sample) for sample in own])
    assert _near_chance(share, len(own), SIZES[family])


@pytest.mark.parametrize("family", ["needle", "multikey", "chain", "count", "grounding"])
@pytest.mark.parametrize("rule", VALUE_RULES)
@pytest.mark.parametrize("value", ["number or start", "duration"])
def test_no_rule_about_values_finds_the_right_option(first, family, rule, value):
    own = [sample for sample in _of(first, family) if _right(sample) != NEVER]
    hits = []
    for sample in own:
        texts = [text for text in _options(sample) if text != NEVER]
        times = [seconds_in(text) or [0.0, float(text)] for text in texts]
        values = np.array([(end - start if value == "duration" else start or end) for start, end in times])
        hits.append(texts[VALUE_RULES[rule](values)] == _right(sample))
    size = SIZES[family] - (NEVER in FAMILIES[family].answers)
    assert _near_chance(np.mean(hits), len(own), size)


def test_a_rule_that_knows_the_answer_would_be_noticed(first):
    own = _of(first, "needle")
    assert not _near_chance(np.mean([_right(sample) == _right(sample) for sample in own]), len(own), 8)


def test_a_letter_is_marked_with_options_and_the_answer_without(samples, rotated):
    assert mark(samples[0].target, samples[0]).value == 1
    sample = rotated[0]
    assert mark(f"({sample.target})", sample).value == 1
    assert mark(_right(sample), sample).value == 1
    wrong = next(letter for letter in LETTERS if letter != sample.target)
    assert mark(wrong, sample).value == 0
    assert mark(f"{sample.target} or {wrong}", sample).value == 0


def test_an_answer_in_words_becomes_the_letter_it_comes_nearest_to(samples, first):
    for sample in first[::7]:
        assert lettered(_right(sample), sample) == sample.target
    sample = _of(first, "grounding")[0]
    start, end = seconds_in(_right(sample))
    near = f"{int(start) // 60:02d}:{int(start) % 60:02d} - {int(end + 2) // 60:02d}:{int(end + 2) % 60:02d}"
    assert lettered(near, sample) == sample.target
    assert lettered("?", sample) == ""
    assert lettered("?", samples[0]) == "?"


def test_what_was_chosen_is_told_in_words(first):
    sample = first[0]
    chosen, none, error = in_words(
        [Score(0.0, Reply("(b)"), sample), Score(0.0, Reply("no idea"), sample), Score(0.0, Reply(""), sample, "down")]
    )
    assert (chosen.reply.text, chosen.sample.metadata["chosen"]) == (f"B. {_options(sample)[1]}", "B")
    assert (none.reply.text, none.sample.metadata["chosen"]) == ("no idea", "")
    assert error.sample.metadata["chosen"] == ""


@pytest.mark.parametrize("seed", range(12))
def test_little_is_known_of_a_small_suite_and_there_are_options_all_the_same(seed):
    samples = list(SuitePlan(minutes=(3.0,), per_cell=1, seed=seed, split="dev").samples())
    first = [one for one in choices(samples) if one.metadata["rotation"] == 0]
    assert {one.family: len(_options(one)) for one in first} == SIZES


@pytest.mark.parametrize("texts", [("7",), ("7", "7"), ("8", "9"), tuple(map(str, range(9)))])
def test_impossible_options_are_refused(texts):
    with pytest.raises(ConfigError):
        Options(Sample("How many?", "7", "count"), texts)


def test_a_question_without_wrong_answers_is_refused():
    sample = Sample("List these cards: red cross.", "red cross", "sequence", "v", metadata={"template": "list"})
    with pytest.raises(ConfigError, match="different"):
        choices([sample])
