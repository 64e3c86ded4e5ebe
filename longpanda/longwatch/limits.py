"""Limits on the plan of a suite, whether generated or on real footage. Each check names the one value at fault."""

from collections import Counter
from collections.abc import Collection, Sequence
from math import inf
from typing import Final

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch.script import LEVELS

SCENES_PER_SEED: Final = 2**20
"""Number of scripts per seed, and number of seeds."""
LONGEST_MINUTES: Final = 24 * 60.0
"""A day, twelve times what scripts are designed for. A longer video is probably a typing error; filming takes hours."""
MOST_CRF: Final = 51
"""The largest (worst) CRF of H.264."""


def require_known(what: str, given: Sequence[str], known: Collection[str]) -> None:
    """Raise ConfigError if no name is given, or if a name is unknown or given twice."""
    for name in given:
        if name not in known:
            remedy = nearest(name, known, is_listed=True)
            raise ConfigError(f"unknown {what} '{name}'", f"one of {', '.join(known)}", remedy)
    require_each_once(what, given)
    if not given:
        raise ConfigError(f"no {what}", f"at least one of {', '.join(known)}", "name one")


def require_each_once(what: str, values: Sequence[str]) -> None:
    """Raise ConfigError if a value occurs twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ConfigError(f"{what} '{value}' {count} times", "each once", "remove the repetition")


def require_lengths(minutes: Sequence[float]) -> None:
    """Raise ConfigError if no length is given, one is out of range, or two would give films the same name."""
    if not minutes:
        raise ConfigError("no length", "at least one", "give a length in minutes")
    for length in minutes:
        if not 0 < length <= LONGEST_MINUTES:
            expected = f"more than 0, and at most {LONGEST_MINUTES:,.10g} (a day)"
            raise ConfigError(f"a length of {length:,.10g} minutes", expected, "choose another length")
    require_each_once("length", [f"{length:g}" for length in minutes])


def require_seed(seed: int) -> None:
    """Raise ConfigError if the seed is out of range."""
    if not 0 <= seed < SCENES_PER_SEED:
        raise ConfigError(f"seed {seed}", f"0 to {SCENES_PER_SEED - 1}", "choose another seed")


def require_pace(fps: float, level: str) -> None:
    """Raise ConfigError if an event could be visible in fewer than two frames.

    Args:
        fps: frames per second.
        level: one of `LEVELS`.
    """
    dwell_seconds = LEVELS[level].dwell_seconds
    if not 2 <= fps * dwell_seconds < inf:
        found = f"fps = {fps} at level {level}, where events may last only {dwell_seconds:g} s"
        expected = f"at least {2 / dwell_seconds:g}, for two frames of every event"
        raise ConfigError(found, expected, "raise fps, or choose a slower level")


def require_quality(crf: int) -> None:
    """Raise ConfigError if the CRF is out of range."""
    if not 0 <= crf <= MOST_CRF:
        raise ConfigError(f"crf = {crf}", f"0 to {MOST_CRF}", "choose another crf; lower is better")
