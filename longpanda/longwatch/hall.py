"""Scripts of the hall: visitors, some of whom return, and objects that pass from person to person."""

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
"""Visits per side. Three colours and three badges are seen twice each, so neither tells how many visitors came."""
LOOPS: Final = ((1, 1, 1), (1, 2), (3,))
"""Ways to pair three colours with three badges, each used twice. A loop of length 1 is one visitor who comes twice; a
longer loop is twice as many visitors, each of whom shares a colour or a badge with the next. This gives 3, 5 or 6
visitors."""
VISIT_WAIT: Final = 1.5
"""Time between the starts of two visits, in dwells. A visit is one dwell from the front and one from behind."""
TAKES: Final = (3, 2, 2)
"""How many times each of three people has the object."""
TAKE_DWELL: Final = (1.0, 1.4)
"""Duration of each time, in dwells. It is drawn alike for all people, so it does not tell how many times they have."""
TAKE_PAUSE: Final = 1 / 16
ABSENT: Final = 3 / 7
"""Share of the videos in which one of the three objects never appears: a seventh of all questions about objects."""


def hall(seed: int, level: Level) -> Script:
    """Draw the script of one hall video. The same arguments give the same script.

    The questions are how many different visitors came to each side, and who had each object.

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
    """Draw six visits that alternate between the two spots of a side, each first from the front, then from behind."""
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
    """Draw who has an object: three people, none of them twice in a row, with different people first and last.

    The person who has it most often is first, last or neither, equally often.
    """
    people = shuffled(rng, CARD_COLOURS)[: len(TAKES)]
    takes = [colour for colour, times in zip(people, TAKES, strict=True) for _ in range(times)]
    place = ("first", "last", "neither")[int(rng.integers(3))]
    while not _is_valid(order := shuffled(rng, takes), people[0], place):
        pass
    dwells = rng.uniform(*TAKE_DWELL, len(order))
    seconds = [round(float(dwell) * level.dwell_seconds, 3) for dwell in dwells]
    events = tuple(Hold(0.0, end, thing, colour) for end, colour in zip(seconds, order, strict=True))
    waits = tuple(end + TAKE_PAUSE * level.dwell_seconds for end in seconds)
    return Track(events, waits, tuple(spread(rng, len(order))))


def _is_valid(order: list[str], most: str, place: str) -> bool:
    """Whether an order keeps the rules of `_story`, with the most frequent holder at the given place."""
    if order[0] == order[-1] or any(one == other for one, other in pairwise(order)):
        return False
    return place == ("first" if order[0] == most else "last" if order[-1] == most else "neither")
