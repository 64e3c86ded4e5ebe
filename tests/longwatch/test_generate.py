from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import Split, WorldSettings, generate, generate_still, scene_seed, split_of
from longpanda.longwatch.world import CARD_CELLS

SETTINGS = WorldSettings()


def _scenes(count, duration_seconds=180.0):
    return [generate(scene_seed(Split.DEV, index), duration_seconds) for index in range(count)]


def _ms(seconds):
    return round(seconds * 1000)


def _overlap(one, two):
    return _ms(one.start_seconds) < _ms(two.end_seconds) and _ms(two.start_seconds) < _ms(one.end_seconds)


def _check_gaps(events, gap_ms):
    for one, two in pairwise(events):
        assert _ms(two.start_seconds) - _ms(one.end_seconds) >= gap_ms


def _check_dwell(events, dwell_seconds):
    for event in events:
        length = event.end_seconds - event.start_seconds
        assert dwell_seconds[0] - 1e-6 <= length <= dwell_seconds[1] + 1e-6


def _check(scene):
    assert all(event.end_seconds <= scene.duration_seconds - 1 + 1e-9 for event in scene.events)
    cards = scene.cards
    assert len({card.title for card in cards}) == len({card.number for card in cards}) == len(cards)
    starts = [_ms(card.start_seconds) for card in cards]
    assert all(two - one >= 9000 for one, two in pairwise(starts))
    assert not any(_overlap(one, two) and one.cell == two.cell for one, two in combinations(cards, 2))
    _check_gaps(scene.lamps, 9000)
    for thing in {move.thing for move in scene.moves}:
        chain = [move for move in scene.moves if move.thing == thing]
        _check_gaps(chain, 9000)
        assert all(one.place != two.place for one, two in pairwise(chain))
    assert not any(_overlap(one, two) and one.place == two.place for one, two in combinations(scene.moves, 2))
    _check_dwell(cards, SETTINGS.card_dwell_seconds)
    _check_dwell(scene.lamps, SETTINGS.lamp_dwell_seconds)
    _check_dwell(scene.moves, SETTINGS.move_dwell_seconds)


@pytest.mark.parametrize("duration_seconds", [1.0, 8.0, 16.0, 24.0, 32.0, 64.0, 90.0, 180.0, 1000.0])
def test_every_rule_of_the_world_holds(duration_seconds):
    for scene in _scenes(500 if duration_seconds == 180.0 else 60, duration_seconds):
        _check(scene)


def test_three_minutes_hold_what_the_settings_say():
    scenes = _scenes(300)
    assert {len(scene.cards) for scene in scenes} == {4, 5, 6}
    assert {len({move.thing for move in scene.moves}) for scene in scenes} == {2}
    chains = [sum(move.thing == thing for move in s.moves) for s in scenes for thing in {m.thing for m in s.moves}]
    assert set(chains) == {2, 3, 4}
    others = [sum(lamp.colour not in scene.chances("count") for lamp in scene.lamps) for scene in scenes]
    assert set(others) == {0, 1, 2, 3}


def test_short_videos_hold_what_fits():
    assert not any(scene.events for scene in _scenes(50, 8.0))
    assert all(len(scene.cards) >= 1 and len(scene.moves) >= 2 for scene in _scenes(50, 32.0))


def test_all_cells_and_places_are_used():
    scenes = _scenes(100)
    assert {card.cell for scene in scenes for card in scene.cards} == set(CARD_CELLS)


def _chi_square(values, answers):
    counts = Counter(values)
    assert set(counts) <= set(answers)
    expected = len(values) / len(answers)
    return sum((counts[answer] - expected) ** 2 / expected for answer in answers)


@pytest.mark.parametrize(("duration_seconds", "max_count"), [(32.0, 2), (64.0, 2), (180.0, 5), (600.0, 5)])
def test_focus_count_is_uniform(duration_seconds, max_count):
    scenes = _scenes(900, duration_seconds)
    assert {chance for scene in scenes for chance in scene.chances("count").values()} == {1 / (max_count + 1)}
    counts = [sum(lamp.colour in scene.chances("count") for lamp in scene.lamps) for scene in scenes]
    assert _chi_square(counts, range(max_count + 1)) < 20.5  # p = 0.001 at 5 degrees of freedom


def test_focus_colour_is_uniform():
    assert _chi_square([scene.topics[0].subject for scene in _scenes(2500)], ("red", "green", "blue", "yellow")) < 16.3


@pytest.mark.parametrize("cards", range(6))
def test_stills_show_everything_all_the_time(cards):
    for seed in range(40):
        scene = generate_still(seed, cards)
        assert len(scene.cards) == len({card.cell for card in scene.cards}) == cards
        assert {(event.start_seconds, event.end_seconds) for event in scene.events} <= {(0.0, 8.0)}
        assert len(scene.lamps) <= 1
        assert len(scene.moves) <= 1


def test_still_lamps_are_half_focus_quarter_other_quarter_dark():
    scenes = [generate_still(seed, 1) for seed in range(800)]
    colours = [scene.lamps[0].colour if scene.lamps else None for scene in scenes]
    asked = [scene.topics[0].subject for scene in scenes]
    states = ["dark" if c is None else "focus" if c == a else "other" for c, a in zip(colours, asked, strict=True)]
    shares = {state: states.count(state) / len(states) for state in states}
    assert shares == pytest.approx({"focus": 0.5, "other": 0.25, "dark": 0.25}, abs=0.06)


def test_splits_cannot_overlap():
    last = 2**40 - 1
    ranges = [(scene_seed(split, 0), scene_seed(split, last)) for split in Split]
    for (_, end), (start, _) in zip(sorted(ranges), sorted(ranges)[1:], strict=False):
        assert end < start
    assert all(split_of(scene_seed(split, index)) is split for split in Split for index in (0, 7, last))


def test_scenes_of_different_seeds_differ():
    seeds = [scene_seed(split, index) for split in Split for index in range(50)]
    assert len({generate(seed, 180).to_json() for seed in seeds}) == len(seeds)
    assert len({str(generate(seed, 180).events) for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("index", [-1, 2**40])
def test_an_index_outside_its_split_is_refused(index):
    with pytest.raises(ConfigError, match=str(index)):
        scene_seed(Split.TRAIN, index)


@pytest.mark.parametrize("seed", [0, 2**40 - 1, 99 * 2**40])
def test_a_seed_of_no_split_is_refused(seed):
    with pytest.raises(ConfigError, match=str(seed)):
        split_of(seed)


@pytest.mark.parametrize(("seed", "duration_seconds"), [(-1, 180), (0, 0), (0, float("nan")), (0, float("inf"))])
def test_impossible_scenes_are_refused(seed, duration_seconds):
    with pytest.raises(ConfigError):
        generate(seed, duration_seconds)
    with pytest.raises(ConfigError):
        generate_still(seed, 1, duration_seconds)


def test_more_cards_than_cells_are_refused():
    with pytest.raises(ConfigError, match="6 cards"):
        generate_still(0, 6)


@pytest.mark.parametrize(
    "values",
    [
        {"cards": (5, 4)},
        {"moves": (0, 2)},
        {"cards_cap": 49},
        {"cards": (20, 30)},
        {"gap_seconds": 3.0},
        {"jitter": 0.1},
        {"objects": 4},
        {"focus_max_count": -1},
        {"reference_seconds": 1.0},
        {"focus_max_count": 10},
    ],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(ConfigError):
        WorldSettings(**values)


def test_settings_are_obeyed():
    settings = WorldSettings(cards=(2, 2), objects=1, moves=(3, 3), focus_max_count=0, other_lamps_max=0, jitter=0.0)
    for seed in range(30):
        scene = generate(seed, 180, settings)
        assert (len(scene.cards), len(scene.moves), len(scene.lamps)) == (2, 3, 0)
        assert np.all([card.dx == card.dy == 0 for card in scene.cards])
