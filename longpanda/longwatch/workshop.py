"""Scripts of the workshop: a machine with a hidden rule, a gauge that rises and falls, and words on a board."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, permutations
from typing import Final

import numpy as np

from longpanda.longwatch.events import Effect, Event, Gauge, Lamp, Pull, Word
from longpanda.longwatch.scene import Topic
from longpanda.longwatch.script import Level, Script, Track, filler_spans, shuffled, spread
from longpanda.longwatch.world import EFFECTS, GAUGE_LEVELS, LAMP_COLOURS, LETTER_SIZES, LEVERS, WORDS

_WORKSHOP_NAMESPACE: Final = 0x3095
PULL_TO_EFFECT, PULL_TO_PULL = 1.125, 0.5
"""Time from the start of a pull to the effect, and to the next pull of the same step, in dwells. A pull lasts one."""
STEP_PAUSE: Final = 0.4
"""Time from the end of pulls without an effect to the next step, in dwells."""
EFFECT_LEAD: Final = 0.275
"""Time from the start of an effect to the next step, in dwells: four samples per dwell show which came first."""
PERIODS, COMPARED, MEASURED = 4, 2, 2
"""Number of rises of the gauge, of questions that compare two rises, and of questions about the size of one."""
MOST_RISE: Final = 6
"""Largest rise, in steps of the gauge."""
GAUGE_DWELL, GAUGE_PAUSE = (1.0, 1.2), 1 / 16
"""How long the gauge is lit, and the pause before it is lit again, in dwells."""
TICKER, TICKER_PAUSE = 8, 1 / 16
"""Number of words on the upper board, and the pause between two of them, in dwells."""
WORD_DWELL: Final = (1.0, 1.15)


def workshop(seed: int, level: Level) -> Script:
    """Draw the script of one workshop video. The same arguments give the same script.

    The questions are which lever does what and under which state of the lamp, how the rises of the gauge compare, and
    which word a board showed before or after another.

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
    """One step of the machine: levers are pulled, and an effect may follow.

    Args:
        pulls: the levers, each pulled before the previous one is released.
        effect: the effect, or "" for none.
        lit: whether the lamp shines during the step.
    """

    pulls: tuple[str, ...]
    effect: str
    lit: bool

    def events(self, lamp: str) -> list[Event]:
        """Return the events, with times in dwells from the start of the step."""
        starts = [PULL_TO_PULL * place for place in range(len(self.pulls))]
        events: list[Event] = [Pull(start, start + 1.0, lever) for start, lever in zip(starts, self.pulls, strict=True)]
        if self.lit:
            events.insert(0, Lamp(0.0, starts[-1] + 1.0, lamp))
        if self.effect:
            events.append(Effect(starts[-1] + PULL_TO_EFFECT, starts[-1] + PULL_TO_EFFECT + 1.0, self.effect))
        return events

    @property
    def dwells(self) -> float:
        """Minimum time from the start of this step to the start of the next."""
        rest = PULL_TO_EFFECT + EFFECT_LEAD if self.effect else 1.0 + STEP_PAUSE
        return PULL_TO_PULL * (len(self.pulls) - 1) + rest


def _machine(rng: np.random.Generator, level: Level) -> tuple[Track, list[Topic]]:
    """Draw a machine with two levers that work under one state of the lamp, and one that does nothing.

    Before every effect, its lever and one of the other two are pulled in random order; each effect occurs twice, with a
    different second lever. So one occurrence does not reveal the cause, but both together do. Under the other state of
    the lamp all three levers are pulled and nothing happens.
    """
    one, other, idle = shuffled(rng, LEVERS)
    first, second = shuffled(rng, EFFECTS)
    works_lit = bool(rng.integers(2))
    paired = [((one, idle), first), ((one, other), first), ((other, idle), second), ((other, one), second)]
    steps = [_Step(tuple(shuffled(rng, levers)), effect, works_lit) for levers, effect in paired]
    steps.append(_Step(tuple(shuffled(rng, LEVERS)), "", not works_lit))
    order = [steps[i] for i in rng.permutation(len(steps))]
    nothing = [(idle, works_lit), (shuffled(rng, (one, other))[0], not works_lit)][int(rng.integers(2))]
    pulled = [(one, works_lit), (other, works_lit), nothing]
    subjects = [first, second, *(f"{lever} {'lit' if lit else 'dark'}" for lever, lit in pulled)]
    track = _together(rng, level, order, str(rng.choice(LAMP_COLOURS)))
    return track, [Topic("causal", subject, 1 / 3) for subject in subjects]


def _together(rng: np.random.Generator, level: Level, steps: list[_Step], lamp: str) -> Track:
    """Join the steps to a track. The times within a step are the same at every duration of the video."""
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
    """Draw four rises of 1 to 6 steps, all equally likely; the gauge is lit before and after each."""
    rises = rng.integers(1, MOST_RISE + 1, PERIODS).tolist()
    bases = [int(rng.integers(GAUGE_LEVELS[0], GAUGE_LEVELS[-1] - rise + 1)) for rise in rises]
    levels = [one for base, rise in zip(bases, rises, strict=True) for one in (base, base + rise)]
    seconds = [round(float(dwell) * level.dwell_seconds, 3) for dwell in rng.uniform(*GAUGE_DWELL, len(levels))]
    shown = tuple(Gauge(0.0, end, one) for end, one in zip(seconds, levels, strict=True))
    waits = tuple(end + GAUGE_PAUSE * level.dwell_seconds for end in seconds)
    track = Track(shown, waits, tuple(spread(rng, len(levels))))
    measured = rng.permutation(PERIODS)[:MEASURED].tolist()
    topics = [Topic("rate", f"steps {period}", 1 / MOST_RISE) for period in measured]
    pairs = [(one, other) for one, other in permutations(range(PERIODS), 2) if rises[one] != rises[other]]
    for one, other in _without_reverses([pairs[i] for i in rng.permutation(len(pairs))])[:COMPARED]:
        topics.append(Topic("rate", f"more {one} {other}", 1 / 2))
    return track, topics


def _without_reverses(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the first of (a, b) and (b, a)."""
    return list({frozenset(pair): pair for pair in reversed(pairs)}.values())[::-1]


def _ticker(rng: np.random.Generator, level: Level) -> tuple[Track, list[Topic]]:
    """Draw the words of the upper board, each once.

    Three questions ask for the word after another, three for the word before, and one names a word that is not shown.
    """
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
    """Draw words for the lower board from the same list."""
    fillers: list[Event] = []
    free_seconds = 0.0
    for start_seconds, end_seconds in filler_spans(rng, level, horizon_seconds, WORD_DWELL):
        if start_seconds >= free_seconds:
            fillers.append(
                Word(start_seconds, end_seconds, "lower", str(rng.choice(WORDS)), str(rng.choice(list(LETTER_SIZES))))
            )
            free_seconds = end_seconds + TICKER_PAUSE * level.dwell_seconds
    return fillers
