"""Scripts of the gallery: cards on the walls, a lamp, and objects that vanish into boxes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import factorial
from typing import Final

import numpy as np

from longpanda.longwatch.events import Card, Event, Lamp, Move
from longpanda.longwatch.scene import Topic
from longpanda.longwatch.script import Level, Script, Track, filler_spans, shuffled, spread
from longpanda.longwatch.world import CARD_CELLS, JITTER_LIMIT, LAMP_COLOURS, NUMBERS, OBJECTS, PLACES, SHAPES, TITLES

NEEDLES: Final = 5
CROSSINGS: Final = 2
"""Groups of four titles from two colours and two shapes. One title of the last group is never shown."""
CHAINS, CHAIN_CARDS = 2, 4
LISTINGS, LISTED = 4, 4
"""Number of questions per family about the order of cards, and of cards in a question of `sequence`."""
LEAST_MOVES, MOST_TIMES = 2, 4
"""Two lamp colours and one object occur 0 to 4 times, all equally likely, and another object 2 to 4 times."""
_GALLERY_NAMESPACE: Final = 0x6A11

CARD_WAIT, CARD_DWELL = 1 / 2, (1.0, 1.25)
"""Time between the starts of two cards, and duration of a card, in dwells of the level."""
TURN_SPARE, TURN_PAUSE, REPEAT_PAUSE, MOST_DWELLS = (0.0, 0.05), 1 / 32, 1.0, 10.8
"""In dwells: what is added to the duration of a lamp colour or an object, the pause before another one, the pause
before the same one, and the most that all may take, so that they fit into three minutes of the slowest level."""


def gallery(seed: int, level: Level) -> Script:
    """Draw the script of one gallery video. The same arguments give the same script.

    The questions are about needles at five depths, cards that differ from others by colour or shape alone, chains of
    signs, the order and the times of cards, counts of lamp colours and of objects, and the boxes that objects end in.

    Args:
        seed: from `splits.scene_seed`.
        level: how fast things happen.
    """
    rng = np.random.Generator(np.random.PCG64((_GALLERY_NAMESPACE, seed)))
    crossings = draw_crossings(rng, CROSSINGS)
    crossed = {title for group in crossings for title in group}
    free = [title for title in shuffled(rng, TITLES) if title not in crossed]
    needles, free = free[:NEEDLES], free[NEEDLES:]
    chains = [free[start : start + CHAIN_CARDS] for start in range(0, CHAINS * CHAIN_CARDS, CHAIN_CARDS)]
    free = free[CHAINS * CHAIN_CARDS :]
    absent, spare = free[:2], free[2:]
    missing = crossings[-1][-1]
    keys = [title for group in crossings for title in group if title != missing]
    cards = card_track(rng, level, needles, keys, chains)
    colours, things = shuffled(rng, LAMP_COLOURS), shuffled(rng, OBJECTS)
    lamps = _turns(rng, level, [Lamp(0.0, 1.0, colour) for colour in colours[:3]], (0, 0))
    moved: list[Event] = [Move(0.0, 1.0, thing, PLACES[0]) for thing in things]
    moves = _with_boxes(rng, _turns(rng, level, moved, (0, LEAST_MOVES)), things[0])
    topics = [
        *(Topic("needle", title, 1 / len(NUMBERS)) for title in [*needles, absent[0]]),
        *(Topic("multikey", title, 1 / len(NUMBERS)) for group in crossings for title in group),
        *(Topic("chain", title, 1 / len(NUMBERS)) for chain in chains for title in chain[:-1]),
        Topic("chain", absent[1], 1 / len(NUMBERS)),
        *(Topic("count", subject, 1 / (MOST_TIMES + 1)) for subject in (*colours[:2], things[0])),
        *draw_listings(rng, cards, "order", 2, LISTINGS),
        *draw_listings(rng, cards, "sequence", LISTED, LISTINGS),
        *(Topic("grounding", title, 0.0) for title in [*shuffled(rng, [*needles, *crossings[0]])[:5], missing]),
        *_place_topics(things, moves),
    ]
    return Script(
        seed, "gallery", level, (cards, lamps, moves), tuple(topics), partial(filler_cards, titles=spare, level=level)
    )


def draw_crossings(rng: np.random.Generator, count: int) -> list[list[str]]:
    """Draw at most four groups of four titles from two colours and two shapes; no title is in two groups."""
    colours = list(dict.fromkeys(title.split()[0] for title in shuffled(rng, TITLES)))
    groups = []
    for group in range(count):
        shapes = shuffled(rng, SHAPES)[:2]
        pair = colours[2 * group : 2 * group + 2]
        groups.append(shuffled(rng, [f"{colour} {shape}" for colour in pair for shape in shapes]))
    return groups


def card_track(
    rng: np.random.Generator,
    level: Level,
    needles: list[str],
    keys: list[str],
    chains: list[list[str]],
    needle_depths: Sequence[float] = (),
) -> Track:
    """Draw the cards of all questions.

    There is one needle in each of as many equal parts of the video, or one at each of `needle_depths`, which must be
    further apart than the cards.
    """
    signs = {title: sign for chain in chains for title, sign in pairwise(chain)}
    order = shuffled(rng, [*keys, *(title for chain in chains for title in chain)])
    count = len(order) + len(needles)
    for title, depth in zip(shuffled(rng, needles), needle_depths or spread(rng, len(needles)), strict=True):
        order.insert(round(depth * (count - 1)), title)
    numbers = rng.choice(NUMBERS, size=count, replace=False)
    cells: list[int] = []
    for _ in order:  # two cards later the first may still show
        free = [cell for cell in CARD_CELLS if cell not in cells[-2:]]
        cells.append(free[rng.integers(len(free))])
    dwells = _dwells(rng, level, CARD_DWELL, count)
    cards = tuple(
        _card(rng, title, int(number), cell, (0.0, dwell), signs.get(title, ""))
        for title, number, cell, dwell in zip(order, numbers, cells, dwells, strict=True)
    )
    return Track(cards, (CARD_WAIT * level.dwell_seconds,) * count, tuple(spread(rng, count)))


def _card(
    rng: np.random.Generator, title: str, number: int, cell: int, span_seconds: tuple[float, float], sign: str = ""
) -> Card:
    colour, shape = title.split()
    dx, dy = (round(float(offset), 4) for offset in rng.uniform(-JITTER_LIMIT, JITTER_LIMIT, 2))
    return Card(*span_seconds, cell, colour, shape, number, dx, dy, sign)


def _dwells(rng: np.random.Generator, level: Level, span: tuple[float, float], count: int) -> list[float]:
    return [round(float(dwell) * level.dwell_seconds, 3) for dwell in rng.uniform(*span, count)]


def _turns(rng: np.random.Generator, level: Level, kinds: list[Event], least: tuple[int, int]) -> Track:
    """Draw events in random order: the first two kinds `least` to 4 times each, the third at most once."""
    dwells = [_split_dwells(rng, int(rng.integers(fewest, MOST_TIMES + 1))) for fewest in least]
    dwells.append([1.0] * int(rng.integers(2)))
    turns = [(kind, dwell) for kind, shares in enumerate(dwells) for dwell in shares]
    most_repeats = int((MOST_DWELLS - sum(dwell for _, dwell in turns)) / REPEAT_PAUSE)
    while True:
        order = [turns[i] for i in rng.permutation(len(turns))]
        repeats = [one == other for (one, _), (other, _) in pairwise(order)]
        if sum(repeats) <= most_repeats:
            break
    pauses = [REPEAT_PAUSE if repeat else TURN_PAUSE for repeat in [*repeats, False][: len(order)]]
    seconds = [round(dwell * level.dwell_seconds, 3) for _, dwell in order]
    events = tuple(replace(kinds[kind], end_seconds=end) for (kind, _), end in zip(order, seconds, strict=True))
    waits = tuple(end + pause * level.dwell_seconds for end, pause in zip(seconds, pauses, strict=True))
    return Track(events, waits, tuple(spread(rng, len(order))))


def _split_dwells(rng: np.random.Generator, times: int) -> list[float]:
    """Draw the durations of `times` events, each 1 to 4 dwells and a little more, together about 4 dwells at most.

    Neither one duration nor their sum tells how many events there are: their ranges overlap as much as possible.
    """
    if times == 0:
        return []
    total = int(rng.integers(times, MOST_TIMES + 1))
    cuts = np.sort(rng.choice(np.arange(1, total), size=times - 1, replace=False))
    return (np.diff(cuts, prepend=0, append=total) + rng.uniform(*TURN_SPARE, times)).tolist()  # type: ignore[no-any-return]


def _with_boxes(rng: np.random.Generator, track: Track, counted: str) -> Track:
    """Draw the box of every move.

    The counted object always goes into the same box, so that the number of its boxes does not tell how often it
    appeared. Any other object changes its box with every move, its last three boxes differ, and the last is uniform:
    the set of its boxes does not tell which was the last.
    """
    boxes: dict[str, list[int]] = {}
    for thing in OBJECTS:
        last = [int(box) for box in rng.permutation(len(PLACES))]
        boxes[thing] = [(last[0] + int(rng.integers(1, 3))) % len(PLACES), *last]
    boxes[counted] = boxes[counted][:1] * MOST_TIMES
    moved: list[Event] = []
    for move in reversed([event for event in track.events if isinstance(event, Move)]):
        moved.insert(0, replace(move, place=PLACES[boxes[move.thing].pop()]))
    return replace(track, events=tuple(moved))


def draw_listings(rng: np.random.Generator, cards: Track, family: str, listed: int, count: int) -> list[Topic]:
    """Draw sets of cards to be put in order, named in random order; the starts of two are at least a dwell apart."""
    titles = [card.title for card in cards.events if isinstance(card, Card)]
    between = round(1 / CARD_WAIT) - 1
    topics = []
    for _ in range(count):
        places = np.sort(rng.choice(len(titles) - between * (listed - 1), size=listed, replace=False))
        named = shuffled(rng, [titles[i] for i in places + between * np.arange(listed)])
        topics.append(Topic(family, ", ".join(named), 1 / factorial(listed)))
    return topics


def _place_topics(things: list[str], moves: Track) -> list[Topic]:
    """Return the topics of `state`: "ball" is about the end, "ball 1" about the time after the first move.

    They are about the second object, and about the third if it never appeared, so that in about a seventh of the
    questions the object was not shown. The first object is counted by `count`, so the number of topics about it would
    give that answer away.
    """
    times = {thing: sum(isinstance(one, Move) and one.thing == thing for one in moves.events) for thing in things}
    _, moved, spare = things
    subjects = [moved, *(f"{moved} {move}" for move in range(1, times[moved]))]
    return [Topic("state", subject, 1 / len(PLACES)) for subject in subjects + [spare] * (times[spare] == 0)]


def filler_cards(
    rng: np.random.Generator,
    events: list[Event],
    horizon_seconds: float,
    *,
    titles: list[str],
    level: Level,
    cells: tuple[int, ...] = CARD_CELLS,
) -> list[Event]:
    """Draw cards with unused titles in free cells. Long and short videos have as many per minute."""
    shown = [event for event in events if isinstance(event, Card)]
    fillers: list[Event] = []
    for start_seconds, end_seconds in filler_spans(rng, level, horizon_seconds, CARD_DWELL):
        busy = {card.cell for card in shown if card.start_seconds < end_seconds and start_seconds < card.end_seconds}
        if free := [cell for cell in cells if cell not in busy]:
            title, cell = titles[rng.integers(len(titles))], free[rng.integers(len(free))]
            card = _card(rng, title, int(rng.choice(NUMBERS)), cell, (start_seconds, end_seconds))
            shown.append(card)
            fillers.append(card)
    return fillers
