"""Workshop and hall: answers derived a second time from frames every 14 s, priors, and what is on screen when."""

import re
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from longpanda.longwatch import FAMILIES, Split, render, rooms, scene_seed, world
from longpanda.longwatch.answers import seconds_in
from longpanda.longwatch.events import Effect, Gauge, Hold, Lamp, Pull, Visitor, Word
from longpanda.longwatch.families.story import answers_about
from longpanda.longwatch.reader import FrameReader, room_of
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS
from longpanda.types import Facts, Sample

STEP_SECONDS = 7200 / 512
"""512 frames, evenly over 120 minutes."""


def _scenes(room, count, minutes=3, level="steady"):
    return [
        ROOM_SCRIPTS[room](scene_seed(Split.DEV, 9000 + i), LEVELS[level]).scene(60 * minutes) for i in range(count)
    ]


def _samples(scene):
    return [sample for family in FAMILIES.values() for sample in family.ask(scene, np.random.default_rng(0))]


class _Seen:
    """What frames at even steps show of a scene: (first moment, event) of each kind, in order."""

    def __init__(self, scene, step_seconds, offset):
        self.moments = np.arange(offset * step_seconds, scene.duration_seconds, step_seconds).tolist()
        first = {}
        self.at = {m: [e for e in scene.events if e.start_seconds <= m < e.end_seconds] for m in self.moments}
        for moment, events in self.at.items():
            for event in events:
                first.setdefault(event, moment)
        self.first = list(first.items())

    def of(self, kind, **values):
        return [
            (e, m) for e, m in self.first if isinstance(e, kind) and all(getattr(e, k) == v for k, v in values.items())
        ]

    def lit(self, pull):
        return any(isinstance(e, Lamp) for events in self.at.values() if pull in events for e in events)

    def cause(self, what):
        """Return the levers that are among the last two pulled before every effect."""
        found = []
        for _, moment in self.of(Effect, what=what):
            before = [pull.lever for pull, seen in self.of(Pull) if seen < moment]
            found.append(set(before[-2:]))
        return set.intersection(*found)

    def level(self, moment):
        """Return what the gauge shows in the frame nearest to a moment."""
        nearest = min(self.moments, key=lambda m: abs(m - moment))
        return next((e.level for e in self.at[nearest] if isinstance(e, Gauge)), 0)


def _words(seen, word, by):
    shown = [e.word for e, _ in seen.of(Word, board="upper")]
    return shown[shown.index(word) + by] if word in shown else "never"


def _after_pull(seen, lever, lamp):
    pulls = [(p, m) for p, m in seen.of(Pull, lever=lever) if seen.lit(p) == (lamp == "lit")]
    for what in world.EFFECTS:
        latest = {
            [p for p, m in seen.of(Pull, lever=lever) if m < moment][-1:][0]
            for _, moment in seen.of(Effect, what=what)
            if any(m < moment for _, m in seen.of(Pull, lever=lever))
        }
        if seen.cause(what) == {lever} and latest & {p for p, _ in pulls}:
            return what
    return "nothing"


def _identities(seen, side):
    came = Counter()
    for spot in world.SIDES[side]:
        visits = [e for e, _ in seen.of(Visitor, spot=spot)]
        came.update((one.colour, two.badge) for one, two in pairwise(visits) if one.colour and two.badge)
    return came


def _story(seen, thing):
    held = [e.colour for e, _ in seen.of(Hold, thing=thing)]
    return f"{held[0]}, {Counter(held).most_common(1)[0][0]}, {held[-1]}" if held else "never"


def _rise(seen, times):
    start, end = (seen.level(seconds_in(time)[0]) for time in times)
    return end - start


TIME = r"(\d\d:[\d:.]+)"
READERS = [
    (r"Which lever (?:opens|rings) the (gate|bell)\?", lambda seen, what: seen.cause(what).pop()),
    (r"What happens when the (\w+) lever is pulled while the lamp is (\w+)\?", _after_pull),
    (rf"Did the gauge rise more from {TIME} to {TIME} \(first\) or from {TIME} to {TIME} \(second\)\?",
     lambda seen, *times: ("first", "second")[_rise(seen, times[:2]) < _rise(seen, times[2:])]),
    (rf"By how many steps did the gauge rise from {TIME} to {TIME}\?", lambda seen, *times: str(_rise(seen, times))),
    (r"Which word did the upper board show right after '(\w+)'\?", lambda seen, word: _words(seen, word, 1)),
    (r"Which word did the upper board show right before '(\w+)'\?", lambda seen, word: _words(seen, word, -1)),
    (r"How many different visitors came to the (\w+) side\?.*", lambda seen, side: str(len(_identities(seen, side)))),
    (r"How many visitors came to the (\w+) side more than once\?.*",
     lambda seen, side: str(sum(times > 1 for times in _identities(seen, side).values()))),
    (r"Who had the (\w+) first, who had it most often, and who had it last\?.*", _story),
]  # fmt: skip


def _answer(question, seen):
    return next(read(seen, *found.groups()) for ask, read in READERS if (found := re.fullmatch(ask, question)))


@pytest.mark.parametrize("offset", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("room", ["workshop", "hall"])
def test_looking_every_14_seconds_sees_every_answer(room, offset):
    asked = Counter()
    for scene in [*_scenes(room, 12), *_scenes(room, 3, minutes=30)]:
        seen = _Seen(scene, STEP_SECONDS, offset)
        for sample in _samples(scene):
            if sample.family != "causal":  # an effect and the next pull may start between two looks
                assert _answer(sample.question, seen) == sample.target, sample
            asked[sample.family] += 1
    assert asked.keys() == {name for name, family in FAMILIES.items() if family.room == room}


def test_looking_four_times_a_dwell_finds_every_cause():
    for scene in _scenes("workshop", 30):
        seen = _Seen(scene, 4.0, 0.5)
        for sample in FAMILIES["causal"].ask(scene, np.random.default_rng(0)):
            assert _answer(sample.question, seen) == sample.target, sample


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("room", ["workshop", "hall"])
def test_everything_shows_for_the_level_dwell_and_nothing_over_another(room, level):
    for minutes in (3, 30):
        for scene in _scenes(room, 6, minutes, level.name):
            by_place = defaultdict(list)
            for event in scene.events:
                assert event.end_seconds - event.start_seconds >= level.dwell_seconds - 0.002
                by_place[rooms.placed(event, 96)[1:]].append(event)
            for events in by_place.values():
                assert all(one.end_seconds <= two.start_seconds + 0.002 for one, two in pairwise(events))


@pytest.mark.parametrize("room", ["workshop", "hall"])
def test_the_length_changes_no_answer(room):
    for index in range(20):
        script = ROOM_SCRIPTS[room](scene_seed(Split.DEV, 9500 + index), LEVELS["steady"])
        short, long = (_samples(script.scene(60 * minutes)) for minutes in (3, 120))
        assert [(s.family, s.target) for s in short] == [(s.family, s.target) for s in long]
        depths = [
            [s.evidence_seconds[0][0] / d for s in some if s.evidence_seconds]
            for some, d in ((short, 180), (long, 7200))
        ]
        assert np.abs(np.subtract(*depths)).mean() < 0.2


def test_answers_are_balanced():
    counts, chances = defaultdict(Counter), defaultdict(set)
    for room in ("workshop", "hall"):
        for scene in _scenes(room, 400):
            for sample in _samples(scene):
                counts[sample.family, sample.facts.template][sample.target] += 1
                chances[sample.family, sample.facts.template].add(sample.facts.chance)
    assert counts["story", "who"].keys() <= {"never", *answers_about(world.CARD_COLOURS)}
    for key, answers in counts.items():
        if key[0] == "story":  # whose most frequent holder is one of the two others oftener than one of six
            continue
        assert [1 / chance for chance in chances[key]] == pytest.approx([len(answers.keys() - {"never"})]), key
    uniform = {("causal", "gate"): 3, ("causal", "bell"): 3, ("causal", "pull"): 3, ("rate", "more"): 2}
    uniform |= {("rate", "steps"): 6, ("visitors", "all"): 3, ("visitors", "again"): 3}
    for key, answers in uniform.items():
        shares = np.array(list(counts[key].values())) / counts[key].total()
        assert len(shares) == answers
        assert np.abs(shares - 1 / answers).max() < 0.06, key
    for key in (("text", "after"), ("text", "before"), ("story", "who")):
        (answer, times), (_, next_times) = counts[key].most_common(2)
        assert answer == "never"
        assert 0.11 < times / counts[key].total() < 0.18
        assert next_times / counts[key].total() < 0.06


@pytest.mark.parametrize(
    ("template", "target", "right", "wrong"),
    [
        ("gate", "red", "The red lever opens the gate.", "The red or the blue lever."),
        ("pull", "bell", "When the red lever is pulled, the bell rings.", "The red lever."),
        ("pull", "nothing", "Nothing.", "The gate opens and nothing else."),
    ],
)
def test_a_sentence_about_the_machine_is_read(template, target, right, wrong):
    sample = Sample("?", target, "causal", facts=Facts(template=template))
    assert [FAMILIES["causal"].score(text, sample) for text in (right, wrong)] == [1.0, 0.0]


def test_colours_and_badges_alone_do_not_tell_how_many_visitors_came():
    for scene in _scenes("hall", 30):
        for side, spots in world.SIDES.items():
            seen = [e for e in scene.of(Visitor) if e.spot in spots]
            assert set(Counter(e.colour for e in seen if e.colour).values()) == {2}, side
            assert set(Counter(e.badge for e in seen if e.badge).values()) == {2}, side


def test_one_time_that_somebody_has_an_object_does_not_tell_how_often():
    places, dwells = Counter(), defaultdict(list)
    for scene in _scenes("hall", 150):
        for thing in world.OBJECTS:
            held = [hold for hold in scene.of(Hold) if hold.thing == thing]
            times = Counter(hold.colour for hold in held)
            for hold in held:
                dwells[times[hold.colour]].append(hold.end_seconds - hold.start_seconds)
            if held:
                most = times.most_common(1)[0][0]
                places[(held[0].colour == most) - (held[-1].colour == most)] += 1
    assert dwells.keys() == {2, 3}
    assert np.mean(dwells[2]) == pytest.approx(np.mean(dwells[3]), rel=0.02)
    assert min(places.values()) > 0.27 * places.total()


def test_a_single_effect_does_not_tell_its_cause():
    guessed = Counter()
    for scene in _scenes("workshop", 200):
        for what in world.EFFECTS:
            cause = _Seen(scene, 4.0, 0.5).cause(what)
            effect = next(one for one in scene.of(Effect) if one.what == what)
            *_, sooner, later = [pull.lever for pull in scene.of(Pull) if pull.start_seconds < effect.start_seconds]
            guessed[{sooner} == cause, {later} == cause] += 1
    assert guessed.keys() == {(True, False), (False, True)}
    assert min(guessed.values()) > 0.4 * guessed.total()


@pytest.mark.parametrize(("room", "size_px"), [("gallery", 192), ("workshop", 96), ("workshop", 448), ("hall", 448)])
def test_any_mixture_of_looks_is_read_through_noise(room, size_px):
    rng = np.random.default_rng(1)
    for scene in _scenes(room, 3):
        for moment in rng.uniform(0, 180, 4):
            frame = render(scene, [moment], size_px)[0]
            frame = np.clip(frame + rng.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)
            shown = [event for event in scene.events if event.start_seconds <= moment < event.end_seconds]
            assert room_of(frame) == room
            seen = FrameReader(room, size_px).read(frame).values()
            assert sorted(map(_bare, seen), key=str) == sorted(map(_bare, shown), key=str)


def _bare(event):
    """Remove times and jitter from an event."""
    changed = {"start_seconds": 0.0, "end_seconds": 1.0} | ({"dx": 0.0, "dy": 0.0} if hasattr(event, "dx") else {})
    return replace(event, **changed)


def _stretched(seen):
    """Return each event with times from the first frame that shows it to the last."""
    looks = defaultdict(list)
    for moment, events in seen.at.items():
        for event in events:
            looks[event].append(moment)
    times = sorted(((at[0], at[-1] + 0.001, event) for event, at in looks.items()), key=lambda one: one[0])
    return tuple(replace(event, start_seconds=start, end_seconds=end) for start, end, event in times)
