"""Progress of long work, on standard error: a bar on a terminal, and elsewhere a line now and then."""

import os
import sys
from contextlib import nullcontext
from typing import Any, Final

from tqdm import tqdm

from longpanda.cli.streams import complain

BAR_DELAY_SECONDS: Final = 1e-3
"""Nothing is drawn before the first step: what is refused is refused in one line."""
LINE_SECONDS: Final = 30.0
"""Between two lines, where there is no terminal; work that is done sooner has none."""


def bar(doing: str, total: float | None, unit: str, done: float = 0) -> "tqdm[Any]":
    """A bar, or what writes lines in place of one; silent in all but the first of several processes.

    Args:
        doing: what is being done, such as "indexing".
        total: of how many.
        unit: what they are, in the plural.
        done: by an earlier call, which counts for no rate.
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
    """Say something while a bar is shown, in a line of its own; the bar is drawn again below it, a line is not."""
    with tqdm.external_write_mode(file=sys.stderr) if sys.stderr.isatty() else nullcontext():
        complain(text)


class _Lines(tqdm):
    """Lines of text that a log can hold."""

    def __init__(self, **settings: Any) -> None:
        line = "{desc}: {n_fmt} of {total_fmt}{unit}, {percentage:.0f}%, {elapsed} so far, {remaining} to go{postfix}"
        super().__init__(**settings, mininterval=LINE_SECONDS, miniters=1, bar_format=line, leave=False)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:  # noqa: ARG002 - lines have no places
        """Write a line; what tqdm asks for at the end, an empty one over the last, is none."""
        line = str(self) if msg is None else msg
        if line:
            self.fp.write(f"{line}\n")
            self.fp.flush()
        return bool(line)
