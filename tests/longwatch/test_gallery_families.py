"""Answers about the gallery, derived a second time from what a camera that samples every 14 s would see."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from longpanda.longwatch import FAMILIES, Card, Lamp, Move, Split, scene_seed
from longpanda.longwatch.answers import seconds_in
from longpanda.longwatch.gallery import gallery
from longpanda.longwatch.script import LEVELS

TITLE = r"(\w+ \w+)"
STEP_SECONDS = 7200 / 512
"""512 frames, evenly over 120 minutes."""


def _scenes(count, minutes, level="steady"):
    return [gallery(scene_seed(Split.DEV, 2000 + i), LEVELS[level]).scene(60 * minutes) for i in range(count)]


def _samples(scene):
    return [sample for family in FAMILIES.values() for sample in family.ask(scene, np.random.default_rng(0))]


def _observed(scene, step_seconds, offset=0.5):
    """Return (moment, events on screen) at every step."""
    moments = np.arange(offset * step_seconds, scene.duration_seconds, step_seconds)
    return [(m, [e for e in scene.events if e.start_seconds <= m < e.end_seconds]) for m in moments.tolist()]


def _seen(frames, kind):
    """Return (moment, event) of one kind, each event once."""
    first = {}
    for moment, events in frames:
        for event in events:
            if isinstance(event, kind):
                first.setdefault(event, moment)
    return [(moment, event) for event, moment in first.items()]


def _number(frames, title):
    return next((str(card.number) for _, card in _seen(frames, Card) if card.title == title), "never")


def _follow(frames, title):
    cards = {card.title: card for _, card in _seen(frames, Card)}
    while title in cards and cards[title].sign:
        title = cards[title].sign
    return _number(frames, title)


def _in_order(frames, titles):
    return [card.title for _, card in _seen(frames, Card) if card.title in titles]


def _turns(frames, kind, subject):
    named = [{e.colour if kind is Lamp else e.thing for e in events if isinstance(e, kind)} for _, events in frames]
    shown = [subject in names for names in named]
    return str(sum(now and not before for before, now in pairwise([False, *shown])))


def _box(frames, thing, until=float("inf")):
    places = [m.place for moment, m in _seen(frames, Move) if m.thing == thing and moment <= until]
    return places[-1] if places else "never"


READERS = [
    (rf"What number is on the {TITLE}\?", _number),
    (rf"Which number was shown on the {TITLE}\?", _number),
    (rf"Start at the {TITLE} and follow the signs\. What number is on the last card\?", _follow),
    (rf"Which came first, the {TITLE} or the {TITLE}\?", lambda frames, *titles: _in_order(frames, titles)[0]),
    (r"List these cards .*: (.*)\.", lambda frames, named: ", ".join(_in_order(frames, named.split(", ")))),
    (r"How many times did the lamp turn (\w+)\?", lambda frames, colour: _turns(frames, Lamp, colour)),
    (r"How many times did the (\w+) appear\?", lambda frames, thing: _turns(frames, Move, thing)),
    (r"Where is the (\w+) at the end\?", _box),
    (r"In which box is the (\w+) at (\S+)\?", lambda frames, thing, time: _box(frames, thing, seconds_in(time)[0])),
]


def _time(moment):
    return f"{int(moment // 60):02d}:{moment % 60:05.2f}"


def _answer(question, frames):
    return next(read(frames, *found.groups()) for ask, read in READERS if (found := re.fullmatch(ask, question)))


@pytest.mark.parametrize("minutes", [3, 30])
@pytest.mark.parametrize("offset", [0.02, 0.5, 0.98])
def test_looking_every_14_seconds_sees_every_answer(minutes, offset):
    asked = set()
    for scene in _scenes(25, minutes):
        frames = _observed(scene, STEP_SECONDS, offset)
        for sample in _samples(scene):
            if sample.family != "grounding":
                assert _answer(sample.question, frames) == sample.target, sample
                asked.add((sample.family, sample.facts.template))
    assert {family for family, _ in asked} == {name for name, one in FAMILIES.items() if one.room == "gallery"} - {
        "grounding"
    }
    assert {("count", "object"), ("state", "then"), ("state", "place")} <= asked


def test_looking_every_second_grounds_every_card():
    for scene in _scenes(10, 3):
        frames = _observed(scene, 1.0)
        for sample in FAMILIES["grounding"].ask(scene, np.random.default_rng(0)):
            title = re.match(rf"When was the {TITLE} on", sample.question)[1]
            moments = [m for m, events in frames for e in events if isinstance(e, Card) and e.title == title]
            seen = " - ".join(_time(moment) for moment in (moments[0], moments[-1])) if moments else "never"
            assert FAMILIES["grounding"].mark(seen, sample).partial > 0.85


def test_a_seventh_of_the_questions_about_cards_are_about_none():
    samples = [sample for scene in _scenes(50, 3) for sample in _samples(scene)]
    for family in ("needle", "multikey", "chain", "grounding"):
        absent = [sample.facts.absent for sample in samples if sample.family == family]
        assert 0.12 < np.mean(absent) < 0.21
    assert not any(sample.evidence_seconds for sample in samples if sample.facts.absent)
    assert all((sample.target == "never") == sample.facts.absent for sample in samples)


def test_a_missing_card_has_its_colour_and_its_shape_on_other_cards():
    for scene in _scenes(20, 3):
        missing = [s for s in FAMILIES["multikey"].ask(scene, np.random.default_rng(0)) if s.target == "never"]
        colour, shape = re.search(r"the (\w+) (\w+)\?", missing[0].question).groups()
        titles = {card.title for card in scene.cards}
        assert len(missing) == 1
        assert f"{colour} {shape}" not in titles
        assert any(title.startswith(colour) for title in titles)
        assert any(title.endswith(shape) for title in titles)


def test_needles_lie_at_every_depth():
    for minutes in (3, 120):
        depths = []
        for scene in _scenes(60, minutes):
            samples = [s for s in FAMILIES["needle"].ask(scene, np.random.default_rng(0)) if s.evidence_seconds]
            depths.append(sorted(sample.evidence_seconds[0][0] / scene.duration_seconds for sample in samples))
        assert np.abs(np.mean(depths, axis=0) - [0.1, 0.3, 0.5, 0.7, 0.9]).max() < 0.11
        shares, _ = np.histogram(
            np.concatenate(depths), bins=8, range=(0, 0.88)
        )  # a card of 20 s has to fit in 3 minutes
        assert shares.min() > 0.4 * shares.mean()  # nowhere between them a gap


def test_a_chain_has_one_to_three_hops_and_may_lead_back_in_time():
    hops, backwards = Counter(), 0
    for scene in _scenes(30, 3):
        for sample in FAMILIES["chain"].ask(scene, np.random.default_rng(0)):
            start = re.match(rf"Start at the {TITLE}", sample.question)[1]
            shown = {card.title: card.start_seconds for card in scene.cards}
            hops[len(sample.evidence_seconds) - 1] += 1
            backwards += start in shown and sample.evidence_seconds[0][0] < shown[start]
    assert hops == {3: 60, 2: 60, 1: 60, -1: 30}
    assert backwards > 30
