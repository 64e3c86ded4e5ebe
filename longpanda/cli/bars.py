"""Progress of long work on standard error: a bar on a terminal, and a line every 30 seconds anywhere else."""

import os
import sys
from contextlib import nullcontext
from typing import Any, Final

from tqdm import tqdm

from longpanda.cli.streams import complain

BAR_DELAY_SECONDS: Final = 1e-3
"""Delay before the first drawing, so that an error before the first step is still a single line."""
LINE_SECONDS: Final = 30.0
"""Time between two lines without a terminal. Shorter work prints none."""


def bar(doing: str, total: float | None, unit: str, done: float = 0) -> "tqdm[Any]":
    """Make a progress bar, or its replacement that writes lines. Only rank 0 shows anything.

    Args:
        doing: the activity, such as "indexing".
        total: number of units in all.
        unit: name of the units, in the plural.
        done: units done by an earlier call, which do not count towards the rate.
    """
    kind = tqdm if sys.stderr.isatty() else _Lines
    return kind(
        total=total,
        initial=done,
        desc=doing,
        unit=f" {unit}",
        smoothing=0.05,
        delay=BAR_DELAY_SECONDS,
        file=sys.stderr,
        disable=os.environ.get("RANK", "0") != "0",
    )


def say(text: str) -> None:
    """Print a line while a bar is shown. The bar is drawn again below it."""
    with tqdm.external_write_mode(file=sys.stderr) if sys.stderr.isatty() else nullcontext():
        complain(text)


class _Lines(tqdm):
    """A progress bar that writes lines of text, for logs."""

    def __init__(self, **settings: Any) -> None:
        line = "{desc}: {n_fmt} of {total_fmt}{unit}, {percentage:.0f}%, {elapsed} so far, {remaining} to go{postfix}"
        super().__init__(**settings, mininterval=LINE_SECONDS, miniters=1, bar_format=line, leave=False)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:  # noqa: ARG002 - lines have no positions
        """Write a line, but not the empty one with which tqdm clears a bar at the end."""
        line = str(self) if msg is None else msg
        if line:
            self.fp.write(f"{line}\n")
            self.fp.flush()
        return bool(line)
