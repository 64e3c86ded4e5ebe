"""The end of the program: an exit code, and one line on standard error if something is wrong."""

import errno
import sys
from enum import IntEnum
from typing import Final

from longpanda.cli import streams
from longpanda.cli.signals import FATAL, Stopped
from longpanda.errors import IncompleteError, LongPandaError


class Code(IntEnum):
    """Exit codes. That of a signal is 128 plus its number."""

    SUCCESS = 0
    BUG = 1
    USER_ERROR = 2
    INCOMPLETE = 3
    INTERRUPTED = FATAL + 2
    BROKEN_PIPE = FATAL + 13
    HUNG_UP = FATAL + 1
    TERMINATED = FATAL + 15


CODES: Final = {
    Code.SUCCESS: "success",
    Code.BUG: "an unexpected error, probably a bug: please report it",
    Code.USER_ERROR: "wrong input or options, or a full disk; one line says what to do",
    Code.INCOMPLETE: "longwatch run left questions without an answer; the same command asks them again",
    Code.HUNG_UP: "the terminal was closed (SIGHUP)",
    Code.INTERRUPTED: "stopped by Ctrl-C; run index, train or longwatch again to resume",
    Code.BROKEN_PIPE: "the reader of the output closed it, as in: longpanda probe film.mp4 | head -1",
    Code.TERMINATED: "stopped by SIGTERM, with the same effect as Ctrl-C",
}
"""Meanings of the exit codes, for `--help` and docs/command_line.md."""

_OS_ERRORS: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG)
"""Errors of the operating system that are not bugs of ours, apart from a full disk."""


def stopped(end: Stopped) -> int:
    """Print that a signal ended the program; return the exit code."""
    streams.output_error()  # prints what is still in the buffer, if possible
    streams.complain("stopped")
    return int(end.code or 0)


def failed(error: BaseException) -> int:
    """Print in one line why the program ends; return the exit code."""
    if isinstance(error, BrokenPipeError):
        streams.abandon_output()
        return Code.BROKEN_PIPE
    unwritten = streams.output_error()
    if isinstance(unwritten, BrokenPipeError) and isinstance(error, OSError):
        return Code.BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        streams.complain("stopped")
        return Code.INTERRUPTED
    line = _line(error, unwritten)
    if line is None:
        about = f"{type(error).__name__}: {error}"
        streams.complain(f"unexpected {about}; run again with --debug, and report what it shows")
        return Code.BUG
    streams.complain(line)
    return Code.INCOMPLETE if isinstance(error, IncompleteError) else Code.USER_ERROR


def _line(error: BaseException, unwritten: OSError | None) -> str | None:
    """Return the line for an error that the user can act on, and None for a bug."""
    if isinstance(error, LongPandaError):
        return str(error)
    if isinstance(error, (MemoryError, *_out_of_memory())):
        remedy = "lower --frames, --budget or --workers, or try --dtype bfloat16"
        return f"out of memory; expected more memory on this device; {remedy}"
    return _os_error_line(error, unwritten) if isinstance(error, OSError) else None


def _os_error_line(error: OSError, unwritten: OSError | None) -> str | None:
    """Return the line for an error of the operating system, and None for a bug."""
    if unwritten is not None:
        remedy = "make room, or redirect the output"
        return f"standard output cannot be written ({unwritten.strerror}); expected free space; {remedy}"
    where = f"'{error.filename}'" if error.filename is not None else "a file"
    if error.errno in streams.NO_ROOM:
        return f"{where} cannot be written ({error.strerror}); expected free space; make room, and run it again"
    if error.errno in _OS_ERRORS:
        remedy = "check its name and permissions, or choose another"
        return f"{where} cannot be used ({error.strerror}); expected a file that can be opened; {remedy}"
    return None


def _out_of_memory() -> tuple[type[BaseException], ...]:
    """Return torch's out-of-memory exception, or nothing if torch has not been imported."""
    torch = sys.modules.get("torch")
    return () if torch is None else (torch.OutOfMemoryError,)
