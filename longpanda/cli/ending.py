"""How the program ends: one line on standard error where something is wrong, and an exit code."""

import errno
import sys
from enum import IntEnum
from typing import Final

from longpanda.cli import streams
from longpanda.cli.signals import FATAL, Stopped
from longpanda.errors import IncompleteError, LongPandaError


class Code(IntEnum):
    """The exit codes there are; of a signal, 128 and its number."""

    WELL = 0
    BUG = 1
    REFUSED = 2
    ERRORS_INSIDE = 3
    INTERRUPTED = FATAL + 2
    NOBODY_READS = FATAL + 13
    HUNG_UP = FATAL + 1
    TERMINATED = FATAL + 15


CODES: Final = {
    Code.WELL: "all is well",
    Code.BUG: "something unexpected, likely a bug: please report it",
    Code.REFUSED: "what was asked cannot be done, and one line says what to do: input, options, a full disk",
    Code.ERRORS_INSIDE: "longwatch run left questions without an answer; the same command asks them again",
    Code.HUNG_UP: "the terminal was closed (SIGHUP)",
    Code.INTERRUPTED: "stopped by Ctrl-C; the same command goes on, where it is one that goes on",
    Code.NOBODY_READS: "what reads the output went away, as in: longpanda probe film.mp4 | head -1",
    Code.TERMINATED: "stopped by SIGTERM, as by Ctrl-C",
}
"""What each says, for help and docs/command_line.md."""

_SYSTEM: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG)
"""What a system refuses that is no bug of ours, beside a lack of room."""


def stopped(end: Stopped) -> int:
    """Say that a signal has ended the program; returns the exit code."""
    streams.output_error()  # what was said so far is printed, where that can be
    streams.complain("stopped")
    return int(end.code or 0)


def failed(error: BaseException) -> int:
    """Say in one line why the program ends; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        streams.abandon_output()
        return Code.NOBODY_READS
    unwritten = streams.output_error()
    if isinstance(unwritten, BrokenPipeError) and isinstance(error, OSError):
        return Code.NOBODY_READS
    if isinstance(error, KeyboardInterrupt):
        streams.complain("stopped")
        return Code.INTERRUPTED
    line = _line(error, unwritten)
    if line is None:
        about = f"{type(error).__name__}: {error}"
        streams.complain(f"unexpected {about}; run again with --debug, and report what it shows")
        return Code.BUG
    streams.complain(line)
    return Code.ERRORS_INSIDE if isinstance(error, IncompleteError) else Code.REFUSED


def _line(error: BaseException, unwritten: OSError | None) -> str | None:
    """What is wrong, expected, and to be done; None for what should not have happened."""
    if isinstance(error, LongPandaError):
        return str(error)
    if isinstance(error, (MemoryError, *_out_of_memory())):
        remedy = "ask for less (--frames, --budget, --workers), or try --dtype bfloat16"
        return f"no memory left; expected more of it on this device; {remedy}"
    return _of_system(error, unwritten) if isinstance(error, OSError) else None


def _of_system(error: OSError, unwritten: OSError | None) -> str | None:
    """As `_line`, of what the system refuses."""
    if unwritten is not None:
        remedy = "make room, or print to another place"
        return f"standard output cannot be written ({unwritten.strerror}); expected room for what is printed; {remedy}"
    where = f"'{error.filename}'" if error.filename is not None else "a file"
    if error.errno in streams.NO_ROOM:
        return f"{where} cannot be written ({error.strerror}); expected free space; make room, and run it again"
    if error.errno in _SYSTEM:
        return f"{where} cannot be used ({error.strerror}); expected one that may be; check it, or name another"
    return None


def _out_of_memory() -> tuple[type[BaseException], ...]:
    """What torch raises where an accelerator has no memory left; nothing where torch was not needed so far."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.OutOfMemoryError,)
