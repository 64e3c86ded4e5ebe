"""The errors a user can act on. Each says what was found, what was expected and what to do."""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class LongPandaError(Exception):
    """Base of every error that is the input's fault and not a bug; the command line prints it as one line.

    Args:
        found: what was there, with its name ("no such file: 'walk.mp4'").
        expected: what would have been right.
        remedy: what the user can do now.
    """

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"{found}; expected {expected}; {remedy}")
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are rebuilt from `args`, which is the message alone; ours cross processes whole."""
        return type(self), (self.found, self.expected, self.remedy)


class VideoError(LongPandaError):
    """A file that is missing, is no video, or holds no pictures that can be decoded."""


class CutVideoError(VideoError):
    """A video with pictures, but none at the seconds asked for: most of the file is missing, or they are past its end.

    Args:
        found: as `LongPandaError`.
        expected: as `LongPandaError`.
        remedy: as `LongPandaError`.
        readable_seconds: when the last picture that could be read is shown.
    """

    def __init__(self, found: str, expected: str, remedy: str, readable_seconds: float) -> None:
        super().__init__(found, expected, remedy)
        self.readable_seconds = readable_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.readable_seconds)


class PromptError(LongPandaError):
    """A question or conversation that does not fit the media given with it."""


class ContextError(PromptError):
    """A prompt that the language model's context has no room for."""


class ModelError(LongPandaError):
    """An unknown model, or weights and configuration that do not belong together."""


class IndexFileError(LongPandaError):
    """A video index that is missing, damaged, or made by another model or version or of another video."""


class ErrorKind(StrEnum):
    """Why a question has no answer. Such a question is not answered wrongly: it has to be asked again."""

    EMPTY = "empty"
    """Nothing was said, or nothing after thinking."""
    CUT = "cut"
    """The answer ended at the limit of tokens, or of something else, before it was whole."""
    FILTERED = "filtered"
    """A filter withheld the answer, or the system declined to give one."""
    MALFORMED = "malformed"
    """What came is no answer that can be read."""
    REJECTED = "rejected"
    """The system calls the request wrong."""
    TOO_LARGE = "too large"
    """The system takes fewer pictures, bytes or tokens than it was sent."""
    FAILED = "failed"
    """The system says that it failed, and asking again did not help."""
    BUSY = "busy"
    """The system asked for patience for longer than it was given."""
    TIMEOUT = "timeout"
    """No answer in the time that there is for one."""
    CONNECTION = "connection"
    """The system was not reached, or the connection broke."""
    ENDED = "ended"
    """The process that answers could not be started, or ended."""
    DENIED = "denied"
    """Key, credit, model or address: no other question would be answered either."""
    VIDEO = "video"
    """The video could not be read."""
    OTHER = "other"
    """Whatever else went wrong."""


class AnswererError(LongPandaError):
    """A system under test that crashed, hung or answered what is no answer.

    Args:
        found: as `LongPandaError`.
        expected: as `LongPandaError`.
        remedy: as `LongPandaError`.
        kind: why there is no answer.
    """

    def __init__(self, found: str, expected: str, remedy: str, kind: ErrorKind = ErrorKind.OTHER) -> None:
        super().__init__(found, expected, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.kind)


class IncompleteError(LongPandaError):
    """A run that has ended and left questions without an answer; it can be gone on with."""


class ConfigError(LongPandaError):
    """A recipe, override or option with an unknown key or an impossible value."""


_LIKE = 0.6
"""How alike two names have to be; difflib's own default, since short names share letters anyway."""
_LEAST_PART = 3
"""Letters of a part of a name that tell which name is meant."""


def counted(number: float, noun: str, plural: str = "") -> str:
    """As in "1 video" and "2,600 videos".

    Args:
        number: how many.
        noun: what, in the singular.
        plural: for nouns that do not take an s.
    """
    shown = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{shown} {noun if number == 1 else plural or noun + 's'}"


def first_line(error: Exception) -> str:
    """What an error says first, or its type where it says nothing."""
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
