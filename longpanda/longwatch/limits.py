"""What every plan of a suite keeps to, generated or on real footage; each complaint is about one value."""

from collections import Counter
from collections.abc import Collection, Sequence
from math import inf
from typing import Final

from longpanda.errors import ConfigError, nearest
from longpanda.longwatch.script import LEVELS

SCENES_PER_SEED: Final = 2**20
"""So many scripts may one seed give; there are as many seeds."""
LONGEST_MINUTES: Final = 24 * 60.0
"""A day, twelve times what scripts are designed for: what is longer was hardly meant, and is filmed for hours."""
MOST_CRF: Final = 51
"""Of H.264."""


def require_known(what: str, given: Sequence[str], known: Collection[str]) -> None:
    """Raises ConfigError where no name is given, one is not known, or one is given twice."""
    for name in given:
        if name not in known:
            remedy = nearest(name, known, is_listed=True)
            raise ConfigError(f"unknown {what} '{name}'", f"one of {', '.join(known)}", remedy)
    require_each_once(what, given)
    if not given:
        raise ConfigError(f"no {what}", f"at least one of {', '.join(known)}", "name one")


def require_each_once(what: str, values: Sequence[str]) -> None:
    """Raises ConfigError where a value stands there twice."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ConfigError(f"{what} '{value}' {count} times", "each once", "leave out the repetition")


def require_lengths(minutes: Sequence[float]) -> None:
    """Raises ConfigError for no length in minutes, one that no film has, or two that films would be named alike by."""
    if not minutes:
        raise ConfigError("no length", "at least one", "name one in minutes")
    for length in minutes:
        if not 0 < length <= LONGEST_MINUTES:
            expected = f"more than 0, and at most {LONGEST_MINUTES:,.10g} (a day)"
            raise ConfigError(f"a length of {length:,.10g} minutes", expected, "choose another length")
    require_each_once("length", [f"{length:g}" for length in minutes])


def require_seed(seed: int) -> None:
    """Raises ConfigError for a seed that is not there."""
    if not 0 <= seed < SCENES_PER_SEED:
        raise ConfigError(f"seed {seed}", f"0 to {SCENES_PER_SEED - 1}", "choose another seed")


def require_pace(fps: float, level: str) -> None:
    """Raises ConfigError where less than two frames would show what a level shows.

    Args:
        fps: frames per second.
        level: one of `LEVELS`.
    """
    dwell_seconds = LEVELS[level].dwell_seconds
    if not 2 <= fps * dwell_seconds < inf:
        found = f"fps = {fps} where everything shows for {dwell_seconds:g} s"
        expected = f"at least {2 / dwell_seconds:g}, for two frames of everything"
        raise ConfigError(found, expected, "raise fps, or choose a slower level")


def require_quality(crf: int) -> None:
    """Raises ConfigError for a quality that H.264 does not have."""
    if not 0 <= crf <= MOST_CRF:
        raise ConfigError(f"crf = {crf}", f"0 to {MOST_CRF}", "choose another crf; lower is better")
