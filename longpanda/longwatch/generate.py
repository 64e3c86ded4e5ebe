"""Draw scenes from seeds, such that every question has one observable answer and cannot be guessed from a prior."""

import math
from typing import Final

import numpy as np

from longpanda.errors import ConfigError
from longpanda.longwatch.events import Card, Event, Lamp, Move
from longpanda.longwatch.scene import Background, Scene, Shot, Topic
from longpanda.longwatch.settings import WorldSettings
from longpanda.longwatch.world import CARD_CELLS, CARD_COLOURS, LAMP_COLOURS, NUMBERS, OBJECTS, PLACES, SHAPES

_VIDEO_NAMESPACE: Final = 0x10A6
_STILL_NAMESPACE: Final = 0x57111
_DEFAULTS: Final = WorldSettings()


def generate(seed: int, duration_seconds: float, settings: WorldSettings = _DEFAULTS) -> Scene:
    """Generate one scene. The same arguments give the same scene.

    Times are multiples of a millisecond. A short video has fewer events, or none if none fits.

    Args:
        seed: from `splits.scene_seed`, so that training and test scenes differ.
        duration_seconds: duration of the video.
        settings: durations and numbers of the events.

    Raises:
        ConfigError: the seed is negative or the duration is not positive.
    """
    _require(seed, duration_seconds)
    rng = np.random.Generator(np.random.PCG64((_VIDEO_NAMESPACE, seed)))
    horizon_ms = int((duration_seconds - settings.margin_seconds) * 1000)
    background = draw_background(rng)
    cards = _cards(rng, horizon_ms, settings)
    topics, lamps = _lamps(rng, horizon_ms, settings)
    moves = _moves(rng, horizon_ms, settings)
    return _scene(seed, duration_seconds, background, topics, [*cards, *lamps, *moves])


def generate_still(seed: int, cards: int, duration_seconds: float = 8.0, jitter: float = _DEFAULTS.jitter) -> Scene:
    """Generate a scene in which nothing changes: cards, lamp and object, if any, are visible from start to end.

    The lamp shines in the focus colour in half of the scenes and in another one in a quarter; half show an object.

    Args:
        seed: as for `generate`, which draws an unrelated scene from the same seed.
        cards: number of cards, 0 to 5, each in its own cell.
        duration_seconds: duration of the video.
        jitter: largest offset of a card, as a fraction of the frame's side.

    Raises:
        ConfigError: the seed is negative, the duration is not positive, or there are more cards than cells.
    """
    _require(seed, duration_seconds)
    if not 0 <= cards <= len(CARD_CELLS):
        raise ConfigError(f"{cards} cards in a still", f"0 to {len(CARD_CELLS)}", "ask for fewer cards")
    rng = np.random.Generator(np.random.PCG64((_STILL_NAMESPACE, seed)))
    background = draw_background(rng)
    cells = [CARD_CELLS[i] for i in rng.permutation(len(CARD_CELLS))[:cards]]
    events: list[Event] = [*_cards_at(rng, [(0, int(duration_seconds * 1000))] * cards, cells, jitter)]
    colours = [LAMP_COLOURS[i] for i in rng.permutation(len(LAMP_COLOURS))]
    if (state := int(rng.integers(4))) < 3:
        events.append(Lamp(0.0, duration_seconds, colours[0 if state < 2 else 1]))
    if rng.integers(2):
        thing, place = OBJECTS[rng.integers(len(OBJECTS))], PLACES[rng.integers(len(PLACES))]
        events.append(Move(0.0, duration_seconds, thing, place))
    return _scene(seed, duration_seconds, background, [Topic("count", colours[0], 1 / 2)], events)


def _require(seed: int, duration_seconds: float) -> None:
    if seed < 0 or not 0 < duration_seconds < math.inf:
        found = f"seed {seed} and duration {duration_seconds} s"
        raise ConfigError(found, "a seed of 0 or more and a positive duration", "change them")


def _scene(
    seed: int, duration_seconds: float, background: Background, topics: list[Topic], events: list[Event]
) -> Scene:
    shots = (Shot(0.0, background),)
    return Scene(seed, float(duration_seconds), shots, tuple(topics), in_order(events))


def in_order(events: list[Event]) -> tuple[Event, ...]:
    """Sort events by start; events with the same start have a fixed order."""
    return tuple(sorted(events, key=lambda event: (event.start_seconds, type(event).__name__, repr(event))))


def draw_background(rng: np.random.Generator) -> Background:
    """Draw a texture and the periods of the camera's pan and of the brightness."""
    pan_x, pan_y, brightness = (round(float(period), 3) for period in rng.uniform((40, 40, 20), (160, 160, 90)))
    return Background(int(rng.integers(2**32)), pan_x, pan_y, brightness, phase=round(float(rng.random()), 3))


def _dwells_ms(rng: np.random.Generator, span_seconds: tuple[float, float], count: int) -> list[int]:
    low, high = (round(1000 * seconds) for seconds in span_seconds)
    return [int(dwell) for dwell in rng.integers(low, high + 1, size=count)]


def _spans_ms(rng: np.random.Generator, dwells_ms: list[int], gap_ms: int, horizon_ms: int) -> list[tuple[int, int]]:
    """Draw the (start, end) of consecutive events at least `gap_ms` apart; all placements are equally likely."""
    slack_ms = horizon_ms - sum(dwells_ms) - gap_ms * (len(dwells_ms) - 1)
    spans, busy_ms = [], 0
    for idle_ms, dwell_ms in zip(sorted(rng.integers(0, slack_ms + 1, size=len(dwells_ms))), dwells_ms, strict=True):
        start_ms = int(idle_ms) + busy_ms
        spans.append((start_ms, start_ms + dwell_ms))
        busy_ms += dwell_ms + gap_ms
    return spans


def _fitting(horizon_ms: int, dwell_seconds: float, gap_seconds: float) -> int:
    """Return how many events of the longest dwell fit one after the other."""
    return max(0, int((horizon_ms / 1000 + gap_seconds) // (dwell_seconds + gap_seconds)))


def _between(rng: np.random.Generator, span: tuple[int, int], scale: float, cap: int) -> int:
    """Draw a count uniformly from `span` times `scale`, widened to whole numbers and limited to 1 to `cap`."""
    high = min(cap, max(1, math.ceil(span[1] * scale)))
    low = min(high, max(1, math.floor(span[0] * scale)))
    return int(rng.integers(low, high + 1))


def _cards(rng: np.random.Generator, horizon_ms: int, settings: WorldSettings) -> list[Card]:
    """Draw cards whose starts are at least the gap apart; two that overlap in time are in different cells."""
    gap_ms, longest_ms = round(settings.gap_seconds * 1000), round(settings.card_dwell_seconds[1] * 1000)
    if horizon_ms < longest_ms:
        return []
    scale = horizon_ms / 1000 / (settings.reference_seconds - settings.margin_seconds)
    cap = min(settings.cards_cap, (horizon_ms - longest_ms) // gap_ms + 1)
    dwells_ms = _dwells_ms(rng, settings.card_dwell_seconds, _between(rng, settings.cards, scale, cap))
    starts = _spans_ms(rng, [0] * len(dwells_ms), gap_ms, horizon_ms - dwells_ms[-1])
    spans = [(start, start + dwell) for (start, _), dwell in zip(starts, dwells_ms, strict=True)]
    cells: list[int] = []
    for start_ms, _ in spans:
        taken = {cell for cell, (_, end_ms) in zip(cells, spans, strict=False) if end_ms > start_ms}
        free = [cell for cell in CARD_CELLS if cell not in taken]
        cells.append(free[rng.integers(len(free))])
    return _cards_at(rng, spans, cells, settings.jitter)


def _cards_at(rng: np.random.Generator, spans: list[tuple[int, int]], cells: list[int], jitter: float) -> list[Card]:
    """Draw cards at the given times and cells; no two share a title or a number."""
    titles = rng.permutation(len(CARD_COLOURS) * len(SHAPES))[: len(spans)]
    numbers = rng.permutation(len(NUMBERS))[: len(spans)]
    offsets = rng.uniform(-jitter, jitter, size=(len(spans), 2))
    return [
        Card(
            start_seconds=start_ms / 1000,
            end_seconds=end_ms / 1000,
            cell=cell,
            colour=CARD_COLOURS[title // len(SHAPES)],
            shape=SHAPES[title % len(SHAPES)],
            number=NUMBERS[number],
            dx=round(float(dx), 4),
            dy=round(float(dy), 4),
        )
        for (start_ms, end_ms), cell, title, number, (dx, dy) in zip(
            spans, cells, titles, numbers, offsets, strict=True
        )
    ]


def _lamps(rng: np.random.Generator, horizon_ms: int, settings: WorldSettings) -> tuple[list[Topic], list[Lamp]]:
    """Draw events of the focus colour, uniform in number, and a few of other colours, in random order."""
    colours = [LAMP_COLOURS[i] for i in rng.permutation(len(LAMP_COLOURS))]
    fitting = _fitting(horizon_ms, settings.lamp_dwell_seconds[1], settings.gap_seconds)
    share = settings.focus_max_count / max(1, settings.focus_max_count + settings.other_lamps_max)
    max_count = min(settings.focus_max_count, math.ceil(fitting * share))
    others = int(rng.integers(min(settings.other_lamps_max, fitting - max_count) + 1))
    shown = [colours[0]] * int(rng.integers(max_count + 1)) + [colours[rng.integers(1, 4)] for _ in range(others)]
    dwells_ms = _dwells_ms(rng, settings.lamp_dwell_seconds, len(shown))
    spans = _spans_ms(rng, dwells_ms, round(settings.gap_seconds * 1000), horizon_ms) if shown else []
    order = rng.permutation(len(shown))
    lamps = [Lamp(start / 1000, end / 1000, shown[i]) for (start, end), i in zip(spans, order, strict=True)]
    return [Topic("count", colours[0], 1 / (max_count + 1))] if max_count else [], lamps


def _moves(rng: np.random.Generator, horizon_ms: int, settings: WorldSettings) -> list[Move]:
    """Draw moves of some objects; no two objects are above the same box at the same time."""
    fitting = _fitting(horizon_ms, settings.move_dwell_seconds[1], settings.gap_seconds)
    things = [OBJECTS[i] for i in rng.permutation(len(OBJECTS))[: settings.objects if fitting else 0]]
    scale = min(1.0, horizon_ms / 1000 / (settings.reference_seconds - settings.margin_seconds))
    moves: list[Move] = []
    for thing in things:
        count = _between(rng, settings.moves, scale, fitting)
        chain = _chain(rng, thing, count, horizon_ms, settings)
        while any(_collide(one, other) for one in chain for other in moves):
            chain = _chain(rng, thing, count, horizon_ms, settings)
        moves += chain
    return moves


def _chain(rng: np.random.Generator, thing: str, count: int, horizon_ms: int, settings: WorldSettings) -> list[Move]:
    """Draw `count` moves of one object: never twice running to the same box, and to any last box equally often."""
    places = [int(rng.integers(3))]
    while len(places) < count:
        places.insert(0, (places[0] + int(rng.integers(1, 3))) % 3)
    dwells_ms = _dwells_ms(rng, settings.move_dwell_seconds, count)
    spans = _spans_ms(rng, dwells_ms, round(settings.gap_seconds * 1000), horizon_ms)
    return [Move(start / 1000, end / 1000, thing, PLACES[p]) for (start, end), p in zip(spans, places, strict=True)]


def _collide(one: Move, other: Move) -> bool:
    overlap = one.start_seconds < other.end_seconds and other.start_seconds < one.end_seconds
    return overlap and one.place == other.place
