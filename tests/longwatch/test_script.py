import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import Card, Lamp, Move, Split, scene_seed
from longpanda.longwatch.gallery import gallery
from longpanda.longwatch.script import LEVELS, Level, Track

STEADY = LEVELS["steady"]
MINUTES = (3, 10, 30, 120)


def _scripts(count, level=STEADY):
    return [gallery(scene_seed(Split.DEV, 1000 + index), level) for index in range(count)]


def test_equal_arguments_give_equal_scenes():
    for level in LEVELS.values():
        assert _scripts(1, level)[0].scene(600).to_json() == _scripts(1, level)[0].scene(600).to_json()


def _asked(scene):
    """Return the events that topics are about, without their times."""
    titles = {
        title for topic in scene.topics if topic.family in ("needle", "multikey", "chain") for title in [topic.subject]
    }
    titles |= {card.sign for card in scene.cards if card.sign}
    kept = [event for event in scene.events if not isinstance(event, Card) or event.title in titles]
    kinds = {kind: [event for event in kept if isinstance(event, kind)] for kind in (Card, Lamp, Move)}
    bare = [replace(event, start_seconds=0.0, end_seconds=1.0) for kind in kinds.values() for event in kind]
    return bare, [event.start_seconds / scene.duration_seconds for kind in kinds.values() for event in kind]


def test_the_length_is_all_that_changes():
    for script in _scripts(20):
        (short, _), (long, long_depths) = (_asked(script.scene(60 * minutes)) for minutes in (3, 120))
        assert short == long
        _, hour_depths = _asked(script.scene(60 * 60))
        assert np.abs(np.array(long_depths) - hour_depths).max() < 0.06
        assert script.scene(180).topics == script.scene(7200).topics


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("minutes", MINUTES)
def test_everything_shows_for_the_level_dwell_and_never_over_another(level, minutes):
    for script in _scripts(6, level):
        scene = script.scene(60 * minutes)
        assert min(event.end_seconds - event.start_seconds for event in scene.events) >= level.dwell_seconds - 0.001
        for cell in range(9):
            cards = [card for card in scene.cards if card.cell == cell]
            assert all(one.end_seconds <= two.start_seconds for one, two in itertools.pairwise(cards))
        for track in (scene.lamps, scene.moves):
            for one, two in itertools.pairwise(track):
                same = replace(one, start_seconds=0, end_seconds=1) == replace(two, start_seconds=0, end_seconds=1)
                least = level.dwell_seconds if same else level.dwell_seconds / 32
                assert two.start_seconds - one.end_seconds >= least - 0.002


def test_fillers_are_as_dense_in_long_videos_and_answer_nothing():
    for script in _scripts(6):
        rates = []
        for minutes in (10, 120):
            scene = script.scene(60 * minutes)
            counts = Counter(card.title for card in scene.cards)
            named = {name for topic in scene.topics for name in topic.subject.split(", ")}
            assert all(counts[title] <= 1 for title in named)
            rates.append(sum(counts[title] for title in counts if title not in named) / minutes)
        assert rates[1] == pytest.approx(rates[0], rel=0.35)


def test_scenes_cut_to_other_backgrounds():
    shots = _scripts(1)[0].scene(1800).shots
    lengths = np.diff([shot.start_seconds for shot in shots])
    assert lengths.min() >= 20
    assert lengths.max() <= 60
    assert len({shot.background.seed for shot in shots}) == len(shots) > 25


def test_counts_are_uniform():
    counts = Counter()
    for script in _scripts(1200):
        asked = [topic.subject for topic in script.topics if topic.family == "count"]
        shown = [getattr(event, "colour", None) or event.thing for track in script.tracks[1:] for event in track.events]
        counts.update(shown.count(subject) for subject in asked)
    share = {count: counts[count] / sum(counts.values()) for count in counts}
    assert share == pytest.approx(dict.fromkeys(range(5), 0.2), abs=0.025)


def _counted(scripts):
    """Return the durations of each counted thing, in dwells."""
    for script in scripts:
        for topic in script.topics:
            if topic.family == "count":
                events = [e for track in script.tracks[1:] for e in track.events]
                named = [e for e in events if topic.subject in (getattr(e, "colour", ""), getattr(e, "thing", ""))]
                yield [e.end_seconds / STEADY.dwell_seconds for e in named]


def _best_guess(pairs):
    """Return the accuracy of the best guess of a count from a visible quantity, rounded down."""
    counts = defaultdict(Counter)
    for seen, count in pairs:
        counts[int(seen)][count] += 1
    return sum(max(one.values()) for one in counts.values()) / len(pairs)


def test_neither_one_time_nor_all_together_tell_how_often():
    shown = [dwells for dwells in _counted(_scripts(600)) if dwells]
    assert min(min(dwells) for dwells in shown) >= 1
    assert _best_guess([(dwells[0], len(dwells)) for dwells in shown]) < 0.55
    assert _best_guess([(sum(dwells), len(dwells)) for dwells in shown]) < 0.6


def test_which_boxes_an_object_was_in_tells_neither_the_last_nor_how_often():
    best = []
    for script in _scripts(300):
        moved = next(topic.subject for topic in script.topics if topic.family == "state")
        (counted,) = [t.subject for t in script.topics if t.family == "count" and t.subject in ("ball", "key", "gem")]
        places = {thing: [e.place for e in script.tracks[2].events if e.thing == thing] for thing in (moved, counted)}
        assert 2 <= len(places[moved]) <= 4
        assert all(one != other for one, other in pairwise(places[moved]))
        assert len(set(places[counted])) <= 1
        best.append(max(map(places[moved].count, places[moved])) / len(places[moved]))
    assert np.mean(best) < 0.5


def test_a_video_too_short_for_its_script_is_refused():
    with pytest.raises(ConfigError, match="longer video or a faster level"):
        _scripts(1)[0].scene(120)
    assert _scripts(1, LEVELS["flash"])[0].scene(20)


@pytest.mark.parametrize(
    ("waits", "depths"),
    [((1.0,), (0.5,)), ((1.0, 1.0), (0.6, 0.5)), ((1.0, 1.0), (0.5, 1.1)), ((1.0, 1.0), (-0.1, 0.5))],
)
def test_impossible_tracks_are_refused(waits, depths):
    lamp = Lamp(0.0, 1.0, "red")
    with pytest.raises(ConfigError):
        Track((lamp, lamp), waits, depths)


def test_an_impossible_level_is_refused():
    with pytest.raises(ConfigError, match="dwell_seconds"):
        Level("still", 0.0)
