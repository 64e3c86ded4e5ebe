"""The standard streams in any state: closed, full, or with a reader that has gone away."""

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
"""The disk or a quota is full, or a file has reached the size limit of this process."""
Stream = TypeVar("Stream", bound=io.TextIOWrapper)


def prepare() -> None:
    """Make the standard streams safe to use. Call it once, before the program opens a file.

    The file descriptor of a closed stream is taken. Otherwise the next file that is opened would get it, and output of
    a library would go into that file. File names that are not text are printed as their bytes where possible.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open() returns the lowest free descriptor
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors=_error_handler(sys.stdin))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _rewrapped(_CheckedOutput, sys.stdout, _error_handler(sys.stdout))
    if sys.stderr is None:  # print(file=None) would write to standard output
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open until the program ends
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _rewrapped(_LenientErrors, sys.stderr, "backslashreplace")


def _error_handler(stream: io.TextIOWrapper) -> str:
    """Return the error handler for bytes that are not text; UTF-8 can keep them unchanged."""
    return "surrogateescape" if stream.encoding.lower().replace("-", "") == "utf8" else "backslashreplace"


def _rewrapped(kind: type[Stream], stream: io.TextIOWrapper, errors: str) -> Stream:
    """Return a stream of another class over the same buffer. Python keeps the original stream open, too."""
    return kind(stream.buffer, stream.encoding, errors, None, stream.line_buffering, stream.write_through)


def require_output() -> None:
    """Raises ConfigError if standard output is closed, as by `>&-`, since nobody would see the result."""
    if sys.stdout is None:
        found, remedy = "standard output is closed", "redirect it, for example with > /dev/null"
        raise ConfigError(found, "an open one", remedy)


def require_input() -> None:
    """Raises ConfigError if standard input is closed, as by `<&-`."""
    if sys.stdin is None:
        remedy = "redirect it from a file or a pipe"
        raise ConfigError("standard input is closed", "questions, typed or from a pipe", remedy)


def complain(text: str) -> None:
    """Print one line on standard error, on rank 0 only."""
    if os.environ.get("RANK", "0") == "0":
        print("longpanda: " + " ".join(text.splitlines()), file=sys.stderr)


def print_json(values: Mapping[str, Any]) -> None:
    """Print one object on one line, unbuffered: the output of `--json` of every verb."""
    print(json.dumps(values), flush=True)


def output_error() -> OSError | None:
    """Flush standard output; return the error if that fails, after which nothing is printed any more."""
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
    """Discard unprinted output. Otherwise Python would try again at exit and print its own error."""
    with suppress(OSError, ValueError):  # a stream without a descriptor has nothing left to write
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _CheckedOutput(io.TextIOWrapper):
    """Standard output that remembers a failed write, even if the caller ignores it, as argparse does for --help."""

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


class _LenientErrors(io.TextIOWrapper):
    """Standard error that ignores failed writes: progress and notes are not worth a failure."""

    def write(self, text: str) -> int:
        """As a file's."""
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """As a file's."""
        with suppress(OSError):
            super().flush()
