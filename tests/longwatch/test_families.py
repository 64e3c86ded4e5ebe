"""Answers are derived a second time here, from what a camera that samples every 8 s would see."""

import re
from itertools import pairwise

import numpy as np
import pytest

from longpanda.longwatch import (
    FAMILIES,
    PRACTICE,
    Card,
    Lamp,
    Move,
    Split,
    generate,
    generate_still,
    normalise,
    scene_seed,
    split_words,
    vocabulary,
)
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS

ROOM = {name: FAMILIES[name] for name in ("needle", "order", "count", "state")}
"""What scenes without a script are asked."""
ALL = {**ROOM, **PRACTICE}


def _rng(seed=0):
    return np.random.default_rng(seed)


def _scenes(count, duration_seconds=180.0):
    return [generate(scene_seed(Split.DEV, index), duration_seconds) for index in range(count)]


def _observed(scene, offset_seconds):
    """Return the visible events at offset, offset + 8, ...: one list per sampled frame."""
    moments = np.arange(offset_seconds, scene.duration_seconds, 8.0)
    return [[e for e in scene.events if e.start_seconds <= moment < e.end_seconds] for moment in moments]


def _answer(question, frames):  # noqa: PLR0911
    """Return the answer that follows from the frames alone."""
    cards = list(dict.fromkeys(event for frame in frames for event in frame if isinstance(event, Card)))
    if match := re.fullmatch(r"What number is on the (\w+) (\w+)\?", question):
        return str(next(c.number for c in cards if (c.colour, c.shape) == match.groups()))
    if question == "Which card came first?":
        return f"{cards[0].colour} {cards[0].shape}"
    if question == "Which card came last?":
        return f"{cards[-1].colour} {cards[-1].shape}"
    if match := re.fullmatch(r"Which came first, the (\w+ \w+) or the (\w+ \w+)\?", question):
        return next(f"{c.colour} {c.shape}" for c in cards if f"{c.colour} {c.shape}" in match.groups())
    if match := re.fullmatch(r"How many times did the lamp turn (\w+)\?", question):
        lit = [next((e.colour for e in frame if isinstance(e, Lamp)), "off") for frame in frames]
        return str(sum(two == match[1] != one for one, two in pairwise(["off", *lit])))
    if match := re.fullmatch(r"Where is the (\w+) at the end\?", question):
        return [e.place for frame in frames for e in frame if isinstance(e, Move) and e.thing == match[1]][-1]
    if match := re.fullmatch(r"Which shape is the (\w+) card\?", question):
        return next(c.shape for c in cards if c.colour == match[1])
    if match := re.fullmatch(r"What colour is the card with number (\d\d)\?", question):
        return next(c.colour for c in cards if str(c.number) == match[1])
    if question == "How many cards were shown?":
        return str(len(cards))
    assert question == "What colour was the lamp?"
    return next((e.colour for frame in frames for e in frame if isinstance(e, Lamp)), "off")


@pytest.mark.parametrize("duration_seconds", [32.0, 64.0, 180.0])
@pytest.mark.parametrize("offset_seconds", [0.0, 3.3, 7.9])
def test_eight_second_sampling_sees_every_answer(duration_seconds, offset_seconds):
    asked = set()
    for scene in _scenes(60, duration_seconds):
        frames = _observed(scene, offset_seconds)
        for family in ALL.values():
            for sample in family.ask(scene, _rng()):
                assert _answer(sample.question, frames) == sample.target
                asked.add((sample.family, sample.facts.template))
    assert asked == {(family.name, template) for family in ALL.values() for template in family.templates} - {
        ("count", "object"),
        ("state", "then"),
    }


def test_stills_are_answered_from_one_frame():
    for seed in range(60):
        scene = generate_still(seed, seed % 6)
        for family in ALL.values():
            for sample in family.ask(scene, _rng()):
                assert _answer(sample.question, _observed(scene, 0.0)) == sample.target
                assert sample.family != "order"


def test_a_scene_without_events_asks_nothing_but_trivia():
    scene = generate(0, 8.0)
    assert all(family.ask(scene, _rng()) == [] for family in FAMILIES.values())


def test_evidence_alone_holds_the_answer():
    for scene in _scenes(40):
        for family in FAMILIES.values():
            for sample in family.ask(scene, _rng()):
                spans = sample.evidence_seconds
                assert list(spans) == sorted(spans)
                shown = [e for e in scene.events if (e.start_seconds, e.end_seconds) in spans]
                assert _answer(sample.question, _apart(shown)) == sample.target
                assert sample.video == scene.name


def _apart(events):
    """Return one frame per event, each followed by an empty frame, as between two lamp events in a video."""
    return [frame for event in events for frame in ([event], [])]


def test_samples_carry_their_chance_and_focus():
    for scene in _scenes(40):
        for sample in FAMILIES["count"].ask(scene, _rng()):
            assert sample.facts.training_only != any(topic.subject in sample.question for topic in scene.topics)
            assert sample.facts.chance == (None if sample.facts.training_only else 1 / 6)
        for sample in FAMILIES["order"].ask(scene, _rng()):
            assert sample.facts.chance == (0.5 if sample.facts.template == "pair" else 1 / 48)


def _best_constant(samples, key=lambda sample: sample.target):
    keys = [key(sample) for sample in samples]
    return max(keys.count(value) for value in set(keys)) / len(keys)


@pytest.mark.parametrize(("name", "bound"), [("needle", 0.025), ("state", 0.37), ("count", 0.20)])
def test_no_constant_answer_beats_chance(name, bound):
    samples = [sample for scene in _scenes(900) for sample in FAMILIES[name].ask(scene, _rng())]
    samples = [sample for sample in samples if not sample.facts.training_only]
    assert FAMILIES[name].chance <= _best_constant(samples) < bound


def test_the_card_named_first_is_right_half_of_the_time():
    rng = _rng(4)
    pairs = [s for scene in _scenes(200) for s in FAMILIES["order"].ask(scene, rng) if s.facts.template == "pair"]
    share = np.mean([s.question.startswith(f"Which came first, the {s.target} or") for s in pairs])
    assert abs(share - 0.5) < 0.04


def test_last_place_is_uniform_given_how_often_the_object_moved():
    samples = [sample for scene in _scenes(900) for sample in FAMILIES["state"].ask(scene, _rng())]
    for moves in (2, 3, 4):
        assert _best_constant([s for s in samples if s.facts.moves == moves]) < 0.40


def test_vocabulary_is_closed_and_has_nothing_to_spare():
    used = set()
    practice = [*_scenes(150), *(generate_still(seed, seed % 6) for seed in range(60))]
    scripted = [
        draw(scene_seed(Split.DEV, index), LEVELS["steady"]).scene(180)
        for draw in ROOM_SCRIPTS.values()
        for index in range(60)
    ]
    asked = [(family, scene) for scene in practice for family in ALL.values()]
    for family, scene in asked + [(family, scene) for scene in scripted for family in FAMILIES.values()]:
        for sample in family.ask(scene, _rng()):
            used |= {*split_words(sample.question), *split_words(sample.target)}
            assert sample.target in family.answers or family.name in ("sequence", "grounding", "story")
    assert used == set(vocabulary())
    assert list(vocabulary()) == sorted(vocabulary())
    assert len(vocabulary()) == len(set(vocabulary()))


def test_table_keys_are_names_and_disjoint():
    assert all(name == family.name for name, family in ALL.items())
    assert not FAMILIES.keys() & PRACTICE.keys()
    assert all(name == family.name for name, family in FAMILIES.items())


def test_splitting_spells_numbers_digit_by_digit():
    assert split_words("How many, the 47?") == ("how", "many", ",", "the", "4", "7", "?")


def test_normalising_twice_changes_nothing():
    for text in ("The 4 7!", "a Red-Circle", "ten 3", "zero"):
        assert normalise(normalise(text)) == normalise(text)
