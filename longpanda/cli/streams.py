"""The standard streams, in whatever state the program is given them: closed, full, or with nobody at the other end."""

import errno
import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from longpanda.errors import ConfigError

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""A disk, a quota, or the largest file that this process may write, is full."""
Stream = TypeVar("Stream", bound=io.TextIOWrapper)


def prepare() -> None:
    """Make the standard streams safe to use: once, for the program, before it opens a file.

    The number of a closed one is taken, or the next file that is opened would get it, and what a library prints would
    go into that file. Names of files need not be text: they are printed as the bytes that they are where that can be.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open() gives the lowest number that is free
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors=_no_text(sys.stdin))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _of(_Needed, sys.stdout, _no_text(sys.stdout))
    if sys.stderr is None:  # Python's print would take standard output in its place
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - until the program ends
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _of(_Unfailing, sys.stderr, "backslashreplace")


def _no_text(stream: io.TextIOWrapper) -> str:
    """What becomes of bytes that are no text: they stay as they are where the encoding lets them."""
    return "surrogateescape" if stream.encoding.lower().replace("-", "") == "utf8" else "backslashreplace"


def _of(kind: type[Stream], stream: io.TextIOWrapper, errors: str) -> Stream:
    """A stream of another kind in place of one; Python itself keeps the first, and with it what both write to."""
    return kind(stream.buffer, stream.encoding, errors, None, stream.line_buffering, stream.write_through)


def require_output() -> None:
    """Refuse to work for nobody. Raises ConfigError where standard output is closed, as by `>&-`."""
    if sys.stdout is None:
        found, remedy = "standard output is closed", "redirect it, for example with > /dev/null"
        raise ConfigError(found, "somewhere to print to", remedy)


def require_input() -> None:
    """Raises ConfigError where standard input is closed, as by `<&-`."""
    if sys.stdin is None:
        raise ConfigError("standard input is closed", "questions, typed or from a pipe", "give it a file or a terminal")


def complain(text: str) -> None:
    """Say on standard error, in one line and in the first of several processes, what is wrong."""
    if os.environ.get("RANK", "0") == "0":
        print("longpanda: " + " ".join(text.splitlines()), file=sys.stderr)


def print_json(values: Mapping[str, Any]) -> None:
    """One object in one line, now: what `--json` prints, of every verb."""
    print(json.dumps(values), flush=True)


def output_error() -> OSError | None:
    """Write what is still to be printed; what the system said where that failed. Nothing is printed after that."""
    error: OSError | None = getattr(sys.stdout, "error", None)
    try:
        if sys.stdout is not None and error is None:
            sys.stdout.flush()
    except OSError as failed:
        error = failed
    if error is not None:
        abandon_output()
    return error


def abandon_output() -> None:
    """Let what could not be printed go: else Python tries again when it ends, and complains in its own words."""
    with suppress(OSError, ValueError):  # streams without a number have nothing left to write
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Needed(io.TextIOWrapper):
    """Standard output: remembers that it could not be written, whoever looks away, as argparse does for --help."""

    error: OSError | None = None

    def write(self, text: str) -> int:
        """As a file's."""
        try:
            return super().write(text)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """As a file's."""
        try:
            super().flush()
        except OSError as error:
            self.error = error
            raise


class _Unfailing(io.TextIOWrapper):
    """Standard error: where nobody can be told, work goes on; progress and notes are not worth a failure."""

    def write(self, text: str) -> int:
        """As a file's."""
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """As a file's."""
        with suppress(OSError):
            super().flush()
