"""The command that makes a suite again, as every page and card spells it."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from longpanda.longwatch.footage import FootagePlan
from longpanda.longwatch.suite import SuitePlan

_OPTIONS: Final = (
    *("minutes", "depths", "families", "per_cell", "seed", "split"),
    *("level", "size_px", "height_px", "fps", "crf"),
)
"""Fields of a plan that are options of `make` or `insert`."""
_LINES: Final = ("--families", "--per-cell", "--size-px")
"""Options before which a long command is broken."""


def remaking(plan: SuitePlan | FootagePlan, folder: str, seed: str = "") -> list[str]:
    """The words of the command that makes a suite again; numbers stand in full.

    Args:
        plan: of the suite.
        folder: where it goes.
        seed: what is said instead of a seed that nobody is to see, or "".
    """
    videos = [one.name for one in plan.footage] if isinstance(plan, FootagePlan) else []
    words = ["longpanda", "longwatch", *(["insert", *videos] if videos else ["make"])]
    values = asdict(plan) | ({"seed": seed} if seed else {})
    for name in _OPTIONS:
        if (value := values.get(name)) not in (None, ()):
            listed = value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *(str(one).removesuffix(".0") for one in listed)]
    return [*words, "--out", folder]


def in_lines(words: Sequence[str]) -> str:
    """A command of many words, on lines that a shell takes for one."""
    return "".join(f"\\\n  {word} " if word in _LINES else f"{word} " for word in map(shlex.quote, words)).rstrip()
