"""Options: their content, that only the video reveals the right one, and how answers are marked."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import FAMILIES
from longpanda.longwatch.answers import NEVER, seconds_in
from longpanda.longwatch.choices import INSTRUCTION, Options, choices, in_words, lettered, mark
from longpanda.longwatch.events import Hold
from longpanda.longwatch.letters import LETTERS
from longpanda.longwatch.suite import SuitePlan
from longpanda.longwatch.world import OBJECTS
from longpanda.types import Facts, Reply, Sample, Score

PER_FAMILY = 400
ERRORS = 4
"""Standard errors that a share may be off: of the 400 shares tested here, one in 40 drawings of questions has one."""
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
    ("rate", "steps"): 6,
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
    ("rate", "steps"): "1 2 3 4 5 6",
    ("visitors", "all"): "3 5 6",
    ("visitors", "again"): "0 1 3",
}
CAN_REFUSE = {"needle", "multikey", "chain", "grounding", "text", "story"}
"""And where an object is at the end."""


@pytest.fixture(scope="module")
def plan():
    return SuitePlan(minutes=(3.0,), per_cell=PER_FAMILY, split="dev")


@pytest.fixture(scope="module")
def samples(plan):
    return list(plan.samples())


@pytest.fixture(scope="module")
def rotated(samples):
    return choices(samples)


@pytest.fixture(scope="module")
def first(rotated):
    return [sample for sample in rotated if sample.rotation == 0]


def _options(sample):
    return list(sample.choices)


def _right(sample):
    return _options(sample)[LETTERS.index(sample.target)]


def _of(first, *families):
    return [sample for sample in first if sample.family in families]


def _template(sample):
    return sample.family, sample.facts.template


def _kind(sample):
    return FAMILIES[sample.family].kind_of(sample.facts.template)


def test_every_question_is_asked_with_the_right_option_in_every_place(samples, rotated):
    asked = {}
    for sample in rotated:
        asked.setdefault((sample.video, sample.stem), []).append(sample)
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
    assert sample.question.split("\n") == [sample.stem, *lines, INSTRUCTION]
    assert sample.facts.instruction == ""


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
        shown -= {asked[sample.stem]}
        assert asked[sample.stem] not in _options(sample)
        assert len({*_options(sample)} & shown) == min(7, len(shown))


def test_stories_are_about_those_who_had_the_object_whoever_had_another(plan, first):
    scenes = {entry.name: plan.scene(entry) for entry in plan.entries if entry.room == "hall"}
    for sample in _of(first, "story"):
        thing = next(thing for thing in OBJECTS if thing in sample.stem)
        held = {hold.colour for hold in scenes[sample.video].of(Hold) if hold.thing == thing}
        named = {name for text in _options(sample) if text != NEVER for name in text.split(", ")}
        assert named == held or (_right(sample) == NEVER and not held and len(named) == 3)


def test_stories_of_every_kind_are_right_as_often_as_wrong(first):
    shown = [sample for sample in _of(first, "story") if _right(sample) != NEVER]
    wrong = [text for sample in shown for text in {*_options(sample)} - {NEVER, _right(sample)}]
    for texts in ([_right(sample) for sample in shown], wrong):
        kinds = Counter(_kind_of_story(text) for text in texts)
        assert len(kinds) == 3
        assert all(_is_share(times, len(texts), 1 / 3) for times in kinds.values())


def test_what_is_left_out_of_the_stories_is_any(first):
    shown = [sample for sample in _of(first, "story") if _right(sample) != NEVER]
    for related in (_reverse, _with_another_most_often):
        held = sum(related(_right(sample)) in _options(sample) for sample in shown)
        assert _is_share(held, len(shown), 6 / 17)


def _kind_of_story(text):
    one, most, other = text.split(", ")
    return {one: "first", other: "last"}.get(most, "neither")


def _reverse(story):
    return ", ".join(reversed(story.split(", ")))


def _with_another_most_often(story):
    one, most, other = story.split(", ")
    return ", ".join((one, other if most == one else one, other))


def test_wrong_numbers_and_intervals_are_true_of_other_cards(samples, first):
    for sample in _of(first, "needle", "grounding")[:150]:
        own = [one for one in samples if one.video == sample.video]
        wrong = {*_options(sample)} - {_right(sample), NEVER}
        if sample.family == "needle":
            numbers = {one.target for one in own if one.family in ("needle", "multikey", "chain")}
            others = numbers - {_right(sample), NEVER}
            assert len(wrong & others) == min(len(wrong), len(others))
        else:
            spans = np.array([span for one in own for span in one.evidence_seconds])
            assert all(np.abs(spans - seconds_in(text)).max(axis=1).min() <= 0.5 for text in wrong)


def test_no_wrong_option_would_be_marked_right(first):
    for sample in first[::2]:
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
        asked.setdefault(sample.minutes, []).append(sample.question)
    assert asked[3.0] == asked[4.0]


def test_another_seed_gives_other_places(samples):
    one, other = (choices(samples[::4], seed=seed) for seed in (0, 1))
    same = [a.target == b.target for a, b in zip(one, other, strict=True) if a.rotation == 0]
    assert _is_share(sum(same), len(same), 1 / max(SIZES.values()), 1 / min(SIZES.values()))


RULES = {
    **{
        f"always {letter}": lambda options, at=at: options[min(at, len(options) - 1)]
        for at, letter in enumerate(LETTERS)
    },
    "the longest": lambda options: max(options, key=len),
    "the shortest": lambda options: min(options, key=len),
    "most like the others": lambda options: max(options, key=lambda one: _likeness(one, options)),
    "the odd one out": lambda options: min(options, key=lambda one: _likeness(one, options)),
    "item by item the most frequent": lambda options: max(options, key=lambda one: _agreement(one, options)),
    "item by item the rarest": lambda options: min(options, key=lambda one: _agreement(one, options)),
}
VALUE_RULES = {
    "the least": lambda values: int(np.argmin(values)),
    "the greatest": lambda values: int(np.argmax(values)),
    "the median": lambda values: int(np.argmin(np.abs(values - np.median(values)))),
    "the outlier": lambda values: int(np.argmax(np.abs(values - np.median(values)))),
}


def _likeness(one, options):
    """Return how many letter pairs an option shares with all others."""
    pairs = [Counter(pairwise(text)) for text in (one, *options)]
    return sum((pairs[0] & other).total() for other in pairs[1:])


def _agreement(one, options):
    """Return how many items an option has in the same place as other options."""
    items = one.split(", ")
    return sum(mine == theirs for other in options for mine, theirs in zip(items, other.split(", "), strict=False))


def _is_share(times, total, least, most=None):
    """Whether a count is plausible for a share drawn at random, or for one between two shares."""
    most = least if most is None else most
    low, high = (total * share for share in (least, most))
    errors = [ERRORS * (total * share * (1 - share)) ** 0.5 for share in (least, most)]
    return low - errors[0] <= times <= high + errors[1]


def _blind(own, picks):
    """Whether picks are right as often as "never" is, as any other option is, or between the two."""
    size, can_refuse = len(_options(own[0])), NEVER in _options(own[0])
    never = np.mean([_right(sample) == NEVER for sample in own])
    shares = (never, (1 - never) / (size - 1)) if can_refuse else (1 / size, 1 / size)
    hits = sum(pick == _right(sample) for pick, sample in zip(picks, own, strict=True))
    return _is_share(hits, len(own), *sorted(shares))


@pytest.mark.parametrize("template", SIZES, ids=" ".join)
@pytest.mark.parametrize("rule", RULES)
def test_no_rule_about_letters_and_words_finds_the_right_option(first, template, rule):
    own = [sample for sample in first if _template(sample) == template]
    assert _blind(own, [RULES[rule](_options(sample)) for sample in own])


NUMBERS = [name for name in SIZES if name[0] in ("needle", "multikey", "chain", "count", "grounding", "visitors")]


@pytest.mark.parametrize("template", [*NUMBERS, ("rate", "steps")], ids=" ".join)
@pytest.mark.parametrize("rule", VALUE_RULES)
@pytest.mark.parametrize("value", ["number or start", "duration"])
def test_no_rule_about_values_finds_the_right_option(first, template, rule, value):
    own = [sample for sample in first if _template(sample) == template and _right(sample) != NEVER]
    hits = 0
    for sample in own:
        texts = [text for text in _options(sample) if text != NEVER]
        values = np.array([_value(text, value) for text in texts])
        hits += texts[VALUE_RULES[rule](values)] == _right(sample)
    assert _is_share(hits, len(own), 1 / (SIZES[template] - (NEVER in _options(own[0]))))


def _value(text, value):
    times = seconds_in(text)
    if not times:
        return float(text)
    return times[1] - times[0] if value == "duration" else times[0]


@pytest.mark.parametrize("template", SIZES, ids=" ".join)
def test_a_rule_that_knows_every_other_answer_would_be_noticed(first, template):
    own = [sample for sample in first if _template(sample) == template]
    assert not _blind(own, [_right(sample) if i % 2 else _options(sample)[0] for i, sample in enumerate(own)])


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
    assert (chosen.reply.text, chosen.chosen) == (f"B. {_options(sample)[1]}", "B")
    assert (none.reply.text, none.chosen) == ("no idea", "")
    assert error.chosen == ""


@pytest.mark.parametrize("seed", range(12))
def test_little_is_known_of_a_small_suite_and_there_are_options_all_the_same(seed):
    samples = list(SuitePlan(minutes=(3.0,), per_cell=1, seed=seed, split="dev").samples())
    first = [one for one in choices(samples) if one.rotation == 0]
    assert all(len(_options(one)) == SIZES[_template(one)] for one in first)
    assert {one.family for one in first} == {*FAMILIES}


@pytest.mark.parametrize("texts", [("7",), ("7", "7"), ("8", "9"), tuple(map(str, range(9)))])
def test_impossible_options_are_refused(texts):
    with pytest.raises(ConfigError):
        Options(Sample("How many?", "7", "count"), texts)


def test_a_question_without_wrong_answers_is_refused():
    sample = Sample("List these cards: red cross.", "red cross", "sequence", "v", facts=Facts(template="list"))
    with pytest.raises(ConfigError, match="different"):
        choices([sample])
