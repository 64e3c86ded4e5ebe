"""The command that makes a suite again, for reports and data cards."""

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
"""Options that start a new line in a long command."""


def remaking(plan: SuitePlan | FootagePlan, folder: str, seed: str = "") -> list[str]:
    """Return the words of the command that makes a suite again; numbers are not rounded.

    Args:
        plan: the suite.
        folder: folder of the suite.
        seed: text that replaces a secret seed, or "" to show the seed.
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
    """Return a long command, broken into lines as a shell accepts them."""
    return "".join(f"\\\n  {word} " if word in _LINES else f"{word} " for word in map(shlex.quote, words)).rstrip()
