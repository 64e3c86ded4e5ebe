"""The workshop: a machine whose rule has to be found out, a gauge that rises and falls, words on a board."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np

from longpanda.longwatch.events import Effect, Event, Gauge, Lamp, Pull, Word
from longpanda.longwatch.scene import Topic
from longpanda.longwatch.script import Level, Script, Track, filler_spans, shuffled, spread
from longpanda.longwatch.world import EFFECTS, GAUGE_LEVELS, LAMP_COLOURS, LETTER_SIZES, LEVERS, WORDS

_WORKSHOP_NAMESPACE: Final = 0x3095
PULL_TO_EFFECT, PULL_TO_PULL = 1.125, 0.6
"""From the start of a pull, which lasts one dwell, to its effect or to a pull that comes between, in dwells."""
PULL_PAUSE: Final = 0.1
"""From the end of a pull to the next one, in dwells."""
EFFECT_LEAD: Final = 0.275
"""From the start of an effect to the next pull, in dwells: enough to see which came first, four looks a dwell."""
PERIODS, RISES = 4, 2
"""Stretches of time in which the gauge rises, and pairs of them that are compared."""
MOST_FACTOR, MOST_RISE = 4, 6
"""By which one rise of a pair exceeds the other, at most, and the most steps of one rise."""
GAUGE_HOLD, GAUGE_BETWEEN = 1.0, 0.25
"""How long the gauge stays at the ends of a rise, and in its middle, at least, in dwells."""
TICKER, TICKER_PAUSE = 8, 1 / 16
"""Words on the upper board, and the pause between two, in dwells."""
WORD_DWELL: Final = (1.0, 1.15)


def workshop(seed: int, level: Level) -> Script:
    """The script of one workshop video: the same arguments give the same script.

    It asks which lever does what and under which lamp, how the gauge's rises compare, and what a board said before and
    after a word.

    Args:
        seed: from `splits.scene_seed`.
        level: how fast things happen.
    """
    rng = np.random.Generator(np.random.PCG64((_WORKSHOP_NAMESPACE, seed)))
    machine, causes = _machine(rng, level)
    gauge, rises = _gauge(rng, level)
    ticker, words = _ticker(rng, level)
    return Script(
        seed,
        "workshop",
        level,
        (machine, gauge, ticker),
        (*causes, *rises, *words),
        partial(_filler_words, level=level),
    )


@dataclass(frozen=True)
class _Step:
    """Something that the machine does: a lever is pulled, and perhaps another one, and perhaps there is an effect.

    Args:
        pulls: one or two levers.
        effect: what happens, or "".
        lit: whether the lamp shines meanwhile.
    """

    pulls: tuple[str, ...]
    effect: str
    lit: bool

    def events(self, lamp: str) -> list[Event]:
        """Timed from the start of the step, in dwells."""
        starts = [PULL_TO_PULL * place for place in range(len(self.pulls))]
        events: list[Event] = [Pull(start, start + 1.0, lever) for start, lever in zip(starts, self.pulls, strict=True)]
        if self.lit:
            events.insert(0, Lamp(0.0, starts[-1] + 1.0, lamp))
        if self.effect:
            events.append(Effect(starts[-1] + PULL_TO_EFFECT, starts[-1] + PULL_TO_EFFECT + 1.0, self.effect))
        return events

    @property
    def dwells(self) -> float:
        """How long after its start the next one may start."""
        return PULL_TO_PULL * (len(self.pulls) - 1) + (PULL_TO_EFFECT + EFFECT_LEAD if self.effect else 1 + PULL_PAUSE)


def _machine(rng: np.random.Generator, level: Level) -> tuple[Track, list[Topic]]:
    """Two levers that do something under one state of the lamp, and an idle one that is pulled as often.

    Once each, the idle lever is pulled between another and its effect, so that the last pull before an effect does not
    tell the cause; the pull that came before every one of its effects does.
    """
    *causes, idle = shuffled(rng, LEVERS)
    effects = shuffled(rng, EFFECTS)
    works_lit = bool(rng.integers(2))
    steps = [_Step((idle,), "", not works_lit)]
    for lever, effect in zip(causes, effects, strict=True):
        steps.append(_Step((lever,), effect, works_lit))
        steps.append(_Step((lever, idle), effect, works_lit))
        steps.append(_Step((lever,), "", not works_lit))
    while not _clear(order := [steps[i] for i in rng.permutation(len(steps))], idle):
        pass
    asked = [(idle, works_lit), (causes[int(rng.integers(2))], not works_lit)]
    pulled = [*((lever, works_lit) for lever in causes), asked[int(rng.integers(2))]]
    subjects = [*effects, *(f"{lever} {'lit' if lit else 'dark'}" for lever, lit in pulled)]
    track = _together(rng, level, order, str(rng.choice(LAMP_COLOURS)))
    return track, [Topic("causal", subject, 1 / 3) for subject in subjects]


def _clear(order: list[_Step], idle: str) -> bool:
    """Whether causes can be told, and pulls of one lever from each other.

    Where a lever is pulled alone, the pull before must not be the idle one's, or both would come before every effect.
    """
    for one, two in pairwise(order):
        if one.pulls[-1] == two.pulls[0] or (one.pulls[-1] == idle and two.effect and len(two.pulls) == 1):
            return False
    return True


def _together(rng: np.random.Generator, level: Level, steps: list[_Step], lamp: str) -> Track:
    """The steps one after the other; what belongs to one keeps its times at every length of the video."""
    events: list[Event] = []
    waits: list[float] = []
    depths: list[float] = []
    for step, depth in zip(steps, spread(rng, len(steps)), strict=True):
        timed = step.events(lamp)
        starts = [*(event.start_seconds for event in timed), step.dwells]
        waits += [(later - sooner) * level.dwell_seconds for sooner, later in pairwise(starts)]
        lasts = [(event.end_seconds - event.start_seconds) * level.dwell_seconds for event in timed]
        events += [
            replace(event, start_seconds=0.0, end_seconds=last) for event, last in zip(timed, lasts, strict=True)
        ]
        depths += [depth] * len(timed)
    return Track(tuple(events), tuple(waits), tuple(depths))


def _gauge(rng: np.random.Generator, level: Level) -> tuple[Track, list[Topic]]:
    """The gauge rises in four stretches of time; one rise of each pair is 1 to 4 times the other, all equally often."""
    pairs = []
    for _ in range(RISES):
        factor = int(rng.integers(1, MOST_FACTOR + 1))
        least = int(rng.integers(1, MOST_RISE // factor + 1))
        pairs.append((factor * least, least))
    places = [int(place) for place in rng.permutation(PERIODS)]
    rises = dict(zip(places, [rise for pair in pairs for rise in pair], strict=True))
    levels: list[int] = []
    for period in range(PERIODS):
        base = int(rng.integers(GAUGE_LEVELS[0], GAUGE_LEVELS[-1] - rises[period] + 1))
        levels += [base, base + int(rng.integers(rises[period] + 1)), base + rises[period]]
    waits = (GAUGE_HOLD, GAUGE_BETWEEN, GAUGE_HOLD) * PERIODS
    holds = tuple(level.dwell_seconds * wait for wait in waits)
    steps = tuple(Gauge(0.0, hold, one) for hold, one in zip(holds, levels, strict=True))
    track = Track(steps, holds, tuple(spread(rng, len(steps))), lasting=True)
    topics = [Topic("rate", f"factor {places[at]} {places[at + 1]}", 1 / MOST_FACTOR) for at in (0, 2)]
    across = [(one, other) for one in places[:2] for other in places[2:] if rises[one] != rises[other]]
    for one, other in [across[i] for i in rng.permutation(len(across))[:2]]:
        first, second = (one, other) if rng.integers(2) else (other, one)
        topics.append(Topic("rate", f"more {first} {second}", 1 / 2))
    return track, topics


def _ticker(rng: np.random.Generator, level: Level) -> tuple[Track, list[Topic]]:
    """Words on the upper board, each once; three are asked from before, three from behind, and one is not shown."""
    words = shuffled(rng, WORDS)
    shown, absent = words[:TICKER], words[TICKER]
    dwells = [round(float(dwell) * level.dwell_seconds, 3) for dwell in rng.uniform(*WORD_DWELL, TICKER)]
    sizes = rng.choice(list(LETTER_SIZES), size=TICKER)
    events = tuple(
        Word(0.0, dwell, "upper", word, str(size)) for dwell, word, size in zip(dwells, shown, sizes, strict=True)
    )
    waits = tuple(dwell + TICKER_PAUSE * level.dwell_seconds for dwell in dwells)
    subjects = [f"after {word}" for word in shuffled(rng, shown[:-1])[:3]]
    subjects += [f"before {word}" for word in shuffled(rng, shown[1:])[:3]]
    subjects.append(f"{('after', 'before')[int(rng.integers(2))]} {absent}")
    track = Track(events, waits, tuple(spread(rng, TICKER)))
    return track, [Topic("text", subject, 1 / len(WORDS)) for subject in subjects]


def _filler_words(
    rng: np.random.Generator,
    events: list[Event],  # noqa: ARG001
    horizon_seconds: float,
    *,
    level: Level,
) -> list[Event]:
    """Words on the lower board, any of the same."""
    fillers: list[Event] = []
    free_seconds = 0.0
    for start_seconds, end_seconds in filler_spans(rng, level, horizon_seconds, WORD_DWELL):
        if start_seconds >= free_seconds:
            fillers.append(
                Word(start_seconds, end_seconds, "lower", str(rng.choice(WORDS)), str(rng.choice(list(LETTER_SIZES))))
            )
            free_seconds = end_seconds + TICKER_PAUSE * level.dwell_seconds
    return fillers
