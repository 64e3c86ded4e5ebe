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
    ("needle", "number"): 8,
    ("multikey", "number"): 8,
    ("chain", "last"): 8,
    ("grounding", "when"): 8,
    ("sequence", "list"): 8,
    ("count", "lamp"): 5,
    ("count", "object"): 5,
    ("state", "place"): 4,
    ("state", "then"): 3,
    ("order", "pair"): 2,
    ("causal", "gate"): 3,
    ("causal", "bell"): 3,
    ("causal", "pull"): 3,
    ("rate", "more"): 2,
    ("rate", "factor"): 4,
    ("text", "after"): 8,
    ("text", "before"): 8,
    ("visitors", "all"): 3,
    ("visitors", "again"): 3,
    ("story", "who"): 8,
}
CLOSED = {
    ("state", "place"): "left middle right never",
    ("state", "then"): "left middle right",
    ("causal", "gate"): "red green blue",
    ("causal", "bell"): "red green blue",
    ("causal", "pull"): "gate bell nothing",
    ("rate", "more"): "first second",
    ("rate", "factor"): "1 2 3 4",
    ("visitors", "all"): "3 5 6",
    ("visitors", "again"): "0 1 3",
}
CAN_REFUSE = {"needle", "multikey", "chain", "grounding", "text", "story"}
"""And where an object is at the end."""


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


def _template(sample):
    return sample.family, sample.metadata["template"]


def _kind(sample):
    return FAMILIES[sample.family].kind_of(sample.metadata["template"])


def test_every_question_is_asked_with_the_right_option_in_every_place(samples, rotated):
    asked = {}
    for sample in rotated:
        asked.setdefault((sample.video, sample.metadata["of"]), []).append(sample)
    assert len({(sample.video, sample.question) for sample in rotated}) == len(rotated)
    for sample in samples:
        places = asked[sample.video, sample.question]
        size = SIZES[_template(sample)]
        assert sorted(one.target for one in places) == sorted(LETTERS[:size])
        assert {_right(one) for one in places} == {sample.target}
        assert len({frozenset(_options(one)) for one in places}) == 1


def test_all_that_is_to_be_read_is_in_the_question(rotated):
    sample = next(one for one in rotated if _template(one) == ("state", "place"))
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", _options(sample), strict=True)]
    assert sample.question.split("\n") == [sample.metadata["of"], *lines, INSTRUCTION]
    assert sample.metadata["instruction"] == ""


def test_every_template_is_asked(samples):
    assert {_template(sample) for sample in samples} == SIZES.keys()


def test_never_is_an_option_exactly_where_it_can_be_right(rotated):
    refused = {_template(sample) for sample in rotated if _right(sample) == NEVER}
    assert refused == {name for name in SIZES if name[0] in CAN_REFUSE} | {("state", "place")}
    for sample in rotated:
        assert (NEVER in _options(sample)) == (_template(sample) in refused)


def test_what_is_closed_is_offered_as_a_whole_and_nothing_else(rotated):
    for sample in rotated:
        if _template(sample) in CLOSED:
            assert {*_options(sample)} == {*CLOSED[_template(sample)].split()}


def test_wrong_words_were_on_the_board_and_are_not_the_one_asked_about(samples, first):
    for sample in _of(first, "text"):
        own = [one for one in samples if (one.video, one.family) == (sample.video, "text")]
        asked = {one.question: one.question.split("'")[1] for one in own}
        shown = {word for one in own if one.target != NEVER for word in (one.target, asked[one.question])}
        shown -= {asked[sample.metadata["of"]]}
        assert asked[sample.metadata["of"]] not in _options(sample)
        assert len({*_options(sample)} & shown) == min(7, len(shown))


def test_stories_come_with_their_reverse_and_with_the_other_most_often(samples, first):
    for sample in _of(first, "story"):
        people = Counter(frozenset(text.split(", ")) for text in _options(sample) if text != NEVER)
        assert sorted(people.values()) == [3, 4]
        own = [one for one in samples if (one.video, one.family) == (sample.video, "story")]
        told = {frozenset(one.target.split(", ")) for one in own if one.target != NEVER}
        assert len(told & people.keys()) == min(2, len(told))


def test_what_is_left_out_of_the_stories_is_any(first):
    shown = [sample for sample in _of(first, "story") if _right(sample) != NEVER]
    reverse = [", ".join(reversed(_right(sample).split(", "))) in _options(sample) for sample in shown]
    assert abs(np.mean(reverse) - 6 / 7) < 0.08


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
            earned = _kind(sample).mark(text, _right(sample)).value
            assert earned == float(text == _right(sample)), sample


def test_the_order_asked_for_backwards_is_always_an_option(first):
    for sample in _of(first, "sequence"):
        backwards = {", ".join(reversed(text.split(", "))) for text in _options(sample)}
        assert backwards == {*_options(sample)}


def test_options_stay_when_only_the_length_grows():
    samples = SuitePlan(
        minutes=(3.0, 4.0), per_cell=12, split="dev", families=("needle", "count", "sequence", "text", "story")
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


@pytest.mark.parametrize("template", SIZES, ids=" ".join)
@pytest.mark.parametrize("rule", RULES)
def test_no_rule_about_letters_and_words_finds_the_right_option(first, template, rule):
    own = [sample for sample in first if _template(sample) == template]
    share = np.mean([RULES[rule](_options(sample)) == _right(sample) for sample in own])
    assert _near_chance(share, len(own), SIZES[template])


NUMBERS = [name for name in SIZES if name[0] in ("needle", "multikey", "chain", "count", "grounding", "visitors")]


@pytest.mark.parametrize("template", [*NUMBERS, ("rate", "factor")], ids=" ".join)
@pytest.mark.parametrize("rule", VALUE_RULES)
@pytest.mark.parametrize("value", ["number or start", "duration"])
def test_no_rule_about_values_finds_the_right_option(first, template, rule, value):
    own = [sample for sample in first if _template(sample) == template and _right(sample) != NEVER]
    hits = []
    for sample in own:
        texts = [text for text in _options(sample) if text != NEVER]
        times = [seconds_in(text) or [0.0, float(text)] for text in texts]
        values = np.array([(end - start if value == "duration" else start or end) for start, end in times])
        hits.append(texts[VALUE_RULES[rule](values)] == _right(sample))
    size = SIZES[template] - (NEVER in _options(own[0]))
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
    sample = next(one for one in _of(first, "grounding") if _right(one) != NEVER)
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
    assert all(len(_options(one)) == SIZES[_template(one)] for one in first)
    assert {one.family for one in first} == {*FAMILIES}


@pytest.mark.parametrize("texts", [("7",), ("7", "7"), ("8", "9"), tuple(map(str, range(9)))])
def test_impossible_options_are_refused(texts):
    with pytest.raises(ConfigError):
        Options(Sample("How many?", "7", "count"), texts)


def test_a_question_without_wrong_answers_is_refused():
    sample = Sample("List these cards: red cross.", "red cross", "sequence", "v", metadata={"template": "list"})
    with pytest.raises(ConfigError, match="different"):
        choices([sample])
