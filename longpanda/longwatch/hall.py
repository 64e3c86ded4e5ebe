"""The hall: visitors who come again, and objects that go from hand to hand."""

from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np

from longpanda.longwatch.events import Event, Hold, Visitor
from longpanda.longwatch.families.story import Story
from longpanda.longwatch.gallery import filler_cards
from longpanda.longwatch.scene import Topic
from longpanda.longwatch.script import Level, Script, Track, shuffled, spread
from longpanda.longwatch.world import BADGES, CARD_COLOURS, HALL_CELLS, OBJECTS, SIDES, TITLES

_HALL_NAMESPACE: Final = 0x4A11
VISITS: Final = 6
"""To each side: from three colours and three badges, each seen twice, so that neither tells how many visitors came."""
LOOPS: Final = ((1, 1, 1), (1, 2), (3,))
"""Ways to pair three colours and three badges twice each: a loop of one is the same visitor twice, a longer one
is twice as many visitors, who share a colour or a badge with the next. They are 3, 5 and 6 visitors."""
VISIT_WAIT: Final = 1.5
"""From visit to visit, each of which is one dwell from the front and one from behind, in dwells."""
TAKES: Final = ((1.0, 1.0, 1.0), (1.5, 1.5), (3.0,))
"""How long three people show with an object, in dwells: three times, twice and once, in all equally long."""
TAKE_PAUSE: Final = 1 / 16
ABSENT: Final = 3 / 7
"""Share of the videos in which nobody has one of the three objects: a seventh of all questions about them."""


def hall(seed: int, level: Level) -> Script:
    """The script of one hall video: the same arguments give the same script.

    It asks how many different visitors came to each side, and who had each object.

    Args:
        seed: from `splits.scene_seed`.
        level: how fast things happen.
    """
    rng = np.random.Generator(np.random.PCG64((_HALL_NAMESPACE, seed)))
    colours, badges = shuffled(rng, CARD_COLOURS), shuffled(rng, BADGES)
    tracks = [
        _visits(rng, level, side, colours[3 * place : 3 * place + 3], badges[3 * place : 3 * place + 3])
        for place, side in enumerate(SIDES)
    ]
    topics = [Topic("visitors", f"{what} {side}", 1 / len(LOOPS)) for side in SIDES for what in ("all", "again")]
    absent = OBJECTS[int(rng.integers(len(OBJECTS)))] if rng.random() < ABSENT else ""
    tracks += [_story(rng, level, thing) for thing in OBJECTS if thing != absent]
    topics += [Topic("story", thing, Story.chance) for thing in OBJECTS]
    filler = partial(filler_cards, titles=list(TITLES), level=level, cells=HALL_CELLS)
    return Script(seed, "hall", level, tuple(tracks), tuple(topics), filler)


def _visits(rng: np.random.Generator, level: Level, side: str, colours: list[str], badges: list[str]) -> Track:
    """Six visits, to the two spots of a side in turn, each first from the front and then from behind."""
    loops = LOOPS[int(rng.integers(len(LOOPS)))]
    pairs, start = list[tuple[str, str]](), 0
    for length in loops:
        for place in range(length):
            colour = colours[start + place]
            pairs += [(colour, badges[start + place]), (colour, badges[start + (place + 1) % length])]
        start += length
    first = int(rng.integers(2))
    events: list[Event] = []
    for visit, place in enumerate(rng.permutation(VISITS).tolist()):
        spot, (colour, badge) = SIDES[side][(first + visit) % 2], pairs[place]
        dwell = level.dwell_seconds
        events += [Visitor(0.0, dwell, spot, colour=colour), Visitor(0.0, dwell, spot, badge=badge)]
    waits = (level.dwell_seconds, (VISIT_WAIT - 1) * level.dwell_seconds) * VISITS
    depths = np.repeat(spread(rng, VISITS), 2)
    return Track(tuple(events), waits, tuple(depths.tolist()))


def _story(rng: np.random.Generator, level: Level, thing: str) -> Track:
    """Three people have an object in turn, never one of them twice running, the first not the last."""
    people = shuffled(rng, CARD_COLOURS)[: len(TAKES)]
    takes = [(colour, dwells) for colour, times in zip(people, TAKES, strict=True) for dwells in times]
    while True:
        order = [takes[i] for i in rng.permutation(len(takes))]
        if order[0][0] != order[-1][0] and all(one[0] != two[0] for one, two in pairwise(order)):
            break
    events = tuple(Hold(0.0, round(dwells * level.dwell_seconds, 3), thing, colour) for colour, dwells in order)
    waits = tuple(event.end_seconds + TAKE_PAUSE * level.dwell_seconds for event in events)
    return Track(events, waits, tuple(spread(rng, len(order))))
