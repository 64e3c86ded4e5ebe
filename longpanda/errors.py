"""Errors that a user can act on. Each states what was found, what was expected and what to do."""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class LongPandaError(Exception):
    """Base of all errors that are caused by input and not by a bug. The command line prints them as one line.

    Args:
        found: what was wrong, with its name ("no such file: 'walk.mp4'").
        expected: what was required instead.
        remedy: what the user can do.
    """

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"{found}; expected {expected}; {remedy}")
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all fields when pickled. By default, an exception is rebuilt from `args`, which is only the message."""
        return type(self), (self.found, self.expected, self.remedy)


class VideoError(LongPandaError):
    """A file that is missing, is not a video, or has no frames that can be decoded."""


class CutVideoError(VideoError):
    """A video without frames at the requested seconds: most of the file is missing, or they are past its end.

    Args:
        found: see `LongPandaError`.
        expected: see `LongPandaError`.
        remedy: see `LongPandaError`.
        readable_seconds: time of the last frame that could be read.
    """

    def __init__(self, found: str, expected: str, remedy: str, readable_seconds: float) -> None:
        super().__init__(found, expected, remedy)
        self.readable_seconds = readable_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.readable_seconds)


class PromptError(LongPandaError):
    """A question or conversation that does not fit the media given with it."""


class ContextError(PromptError):
    """A prompt that is too long for the language model's context."""


class ModelError(LongPandaError):
    """An unknown model, or weights that do not match their configuration."""


class IndexFileError(LongPandaError):
    """A video index that is missing or damaged, or was made by another model or version, or from another video."""


class ErrorKind(StrEnum):
    """Why a question has no answer. Such a question was not answered wrongly; it has to be asked again."""

    EMPTY = "empty"
    """The answer is empty, or is thinking only."""
    CUT = "cut"
    """The answer was cut off by a limit on tokens or another limit."""
    FILTERED = "filtered"
    """A filter withheld the answer, or the system declined to give one."""
    MALFORMED = "malformed"
    """The reply cannot be parsed."""
    REJECTED = "rejected"
    """The system rejects the request as invalid."""
    TOO_LARGE = "too large"
    """The request has more frames, bytes or tokens than the system accepts."""
    FAILED = "failed"
    """The system reports a failure of its own, and retries did not help."""
    BUSY = "busy"
    """The system stayed busy for longer than the allowed patience."""
    TIMEOUT = "timeout"
    """No answer came within the time limit."""
    CONNECTION = "connection"
    """The system could not be reached, or the connection broke."""
    ENDED = "ended"
    """The answering process could not be started, or ended."""
    DENIED = "denied"
    """The key, credit, model name or address is wrong, so that every other question would fail, too."""
    VIDEO = "video"
    """The video could not be read."""
    OTHER = "other"
    """Any other error."""


class AnswererError(LongPandaError):
    """A system under test that crashed, hung or gave an unusable answer.

    Args:
        found: see `LongPandaError`.
        expected: see `LongPandaError`.
        remedy: see `LongPandaError`.
        kind: why there is no answer.
    """

    def __init__(self, found: str, expected: str, remedy: str, kind: ErrorKind = ErrorKind.OTHER) -> None:
        super().__init__(found, expected, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.kind)


class IncompleteError(LongPandaError):
    """A run that ended with questions left unanswered; it can be resumed."""


class ConfigError(LongPandaError):
    """A recipe, override or option with an unknown key or an impossible value."""


_LIKE = 0.6
"""Least similarity of two names. This is difflib's default; with a lower one, any two short names would match."""
_LEAST_PART = 3
"""Least number of letters with which a part of a name identifies it."""


def counted(number: float, noun: str, plural: str = "") -> str:
    """Format a count with its noun, as in "1 video" and "2,600 videos".

    Args:
        number: the count.
        noun: the noun in the singular.
        plural: its plural, if that is not formed with an s.
    """
    shown = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{shown} {noun if number == 1 else plural or noun + 's'}"


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, known: Iterable[str], prefix: str = "", is_listed: bool = False) -> str:
    """Return a remedy for an unknown name: the closest known one, or one that contains it, or a list of all.

    Args:
        name: the unknown name.
        known: the known names.
        prefix: shown before each known name. An option's dashes belong here: in `name` they make any two look alike.
        is_listed: the error lists all known names already, so the remedy does not repeat them.
    """
    names = sorted(known)
    if not names:
        return "there is none to choose from"
    close = difflib.get_close_matches(name, names, n=1, cutoff=_LIKE)
    if not close and len(name) >= _LEAST_PART:
        close = [one for one in names if name in one]
    if close:
        return f"did you mean '{prefix}{close[0]}'?"
    return "choose one of these" if is_listed else f"choose one of: {', '.join(prefix + name for name in names)}"
