"""Records of annotation files: the JSON of VideoChat-Flash, LLaVA, Valley and Video-ChatGPT, or a user's own, typed.

A record is a conversation about images or videos:

    {"video": "a.mp4", "conversations": [{"from": "human", "value": "<image>\nWhat happens?"},
                                          {"from": "gpt", "value": "A cup falls."}]}

or, in the short form, one question: `{"video": "a.mp4", "question": "What happens?", "answer": "A cup falls."}`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from longpanda.errors import LongPandaError, counted
from longpanda.types import VIDEO_TOKEN, Turn

PLACEHOLDERS: Final = ("<image>", "<video>")
"""Where an image or video stands in a user's turn; both names stand for either."""
_ROLES: Final = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_OUTSIDE: Final = re.compile(r"^/|^.:|^\\\\|(?:^|/)\.\.(?:/|$)")
"""A path that is absolute, here or on Windows, or that leads out of its folder. pathlib says the same, but an index of
records would take two thirds more time."""
_SHOWN_CHARACTERS: Final = 60
_PLACEHOLDER: Final = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_PLACEHOLDER_LINE: Final = re.compile(rf"^[ \t]*(?:{_PLACEHOLDER.pattern})[ \t]*$", re.MULTILINE)


class Fault(IntEnum):
    """Why a record cannot be used. The numbers are stored in indexes of records: never reuse one."""

    NONE = 0
    JSON = 1
    """The line is not JSON, or not an object."""
    MEDIA = 2
    """The record names both images and videos, or media that are not paths."""
    PATH = 3
    """A path is absolute or leaves the folder of its source."""
    SPAN = 4
    """`start` and `end` are not times in order, or only one of them is there."""
    TURNS = 5
    """There is no conversation, or its turns are not question and answer by turns."""
    EMPTY_ANSWER = 6
    """An answer without text teaches nothing."""
    PLACEHOLDER_COUNT = 7
    """The user's turns have more or fewer placeholders than there are images or videos."""
    MARKER = 8
    """The text holds the marker that stands for visual tokens in a prompt."""
    EMPTY_QUESTION = 9
    """A user's turn has neither text nor media."""
    KIND = 10
    """The record is about another kind of media than its source is declared to be."""


class RecordError(LongPandaError):
    """A record that cannot be used.

    Args:
        found: as `LongPandaError`.
        expected: as `LongPandaError`.
        remedy: as `LongPandaError`.
        fault: what kind of mistake it is.
    """

    def __init__(self, found: str, expected: str, remedy: str, fault: Fault) -> None:
        super().__init__(found, expected, remedy)
        self.fault = fault

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.expected, self.remedy, self.fault)


@dataclass(frozen=True)
class Media:
    """One image or video of a record.

    Args:
        kind: "image" or "video".
        path: as written, from the root folder of the source.
        start_seconds: where the annotated part of a video begins; None for a whole video.
        end_seconds: where it ends.
        stated_seconds: how long the whole video is according to the record's `duration`; None where it does not say.
    """

    kind: str
    path: str
    start_seconds: float | None = None
    end_seconds: float | None = None
    stated_seconds: float | None = None


@dataclass(frozen=True)
class Record:
    """One annotated conversation.

    Args:
        media: images or videos in the order of their markers; () for text alone.
        turns: perhaps a system turn, then user and assistant by turns; every assistant turn is to be learned.
        id: as written, or "".
    """

    media: tuple[Media, ...]
    turns: tuple[Turn, ...]
    id: str = ""

    @property
    def kind(self) -> str:
        """What the record is about: "text", "image" or "video"."""
        return self.media[0].kind if self.media else "text"


def parse_record(line: bytes | str) -> Record:
    """Read one record from JSON. Raises RecordError."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"text that is not JSON ({error})", "an object", "fix or delete it", Fault.JSON) from error
    return read_record(values)


def read_record(values: Any) -> Record:
    """Read one record from parsed JSON; keys that say nothing about the conversation are ignored.

    Raises:
        RecordError: the record cannot be used; its `fault` says why.
    """
    if not isinstance(values, dict):
        found = f"{_shown(values)} in place of a record"
        raise RecordError(found, "an object of JSON", "fix or delete it", Fault.JSON)
    media = _media(values)
    turns = _turns(values, len(media))
    return Record(media, _with_markers(turns, len(media)), str(values.get("id") or ""))


def _media(values: Mapping[str, Any]) -> tuple[Media, ...]:
    named = [kind for kind in ("image", "video") if values.get(kind) not in (None, "", [])]
    if len(named) > 1:
        raise RecordError("both image and video", "one of them", "split the record", Fault.MEDIA)
    if not named:
        return ()
    kind = named[0]
    paths = values[kind] if isinstance(values[kind], list) else [values[kind]]
    for path in paths:
        _check_path(kind, path)
    if kind == "image":
        return tuple(Media(kind, path) for path in paths)
    start, end = _span(values)
    stated = _stated_seconds(values) if len(paths) == 1 and start is None else None
    return tuple(Media(kind, path, start, end, stated) for path in paths)


def _stated_seconds(values: Mapping[str, Any]) -> float | None:
    """The length that a record states; None for what is no length, since nothing depends on it but a report."""
    try:
        stated = float(values.get("duration", 0))
    except (TypeError, ValueError):
        return None
    return stated if 0 < stated < float("inf") else None


def _check_path(kind: str, path: Any) -> None:
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise RecordError(f"{kind} {_shown(path)}", "a path", "name the file", Fault.MEDIA)
    if _OUTSIDE.search(path):
        found = f"{kind} path '{path}'"
        raise RecordError(found, "a path within the source's root folder", "write it relative to the root", Fault.PATH)


def _span(values: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Start and end in seconds of the part of a video that a record is about."""
    written = [values.get(name) for name in ("start", "end")]
    if all(value is None for value in written):
        return None, None
    expected, remedy = "a start of at least 0 s and a later end", "correct both times"
    try:
        start, end = (float(value) for value in written)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        found = f"start {_shown(written[0])}, end {_shown(written[1])}"
        raise RecordError(found, expected, remedy, Fault.SPAN) from error
    if not 0 <= start < end < float("inf"):
        raise RecordError(f"start {start:g} s, end {end:g} s", expected, remedy, Fault.SPAN)
    return start, end


def _turns(values: Mapping[str, Any], media: int) -> list[Turn]:
    """The turns as they are written, with placeholders. Raises RecordError."""
    written = values.get("conversations", values.get("messages"))
    if written is None and {"question", "answer"} <= values.keys():
        question = values["question"]
        marks = "" if _PLACEHOLDER.search(str(question)) else f"{PLACEHOLDERS[0]}\n" * media
        written = [{"from": "human", "value": f"{marks}{question}"}, {"from": "gpt", "value": values["answer"]}]
    if not isinstance(written, list) or not written:
        found = "no conversation" if not written else f"conversations {_shown(written)}"
        expected = "conversations: a list of turns, or question and answer"
        raise RecordError(found, expected, "add them, or delete the record", Fault.TURNS)
    turns = [_turn(one) for one in written]
    roles = [turn.role for turn in turns]
    spoken = roles[1:] if roles[0] == "system" else roles
    if not spoken or spoken != ["user", "assistant"] * (len(spoken) // 2):
        found = f"turns of {', '.join(roles)}"
        raise RecordError(found, "user and assistant by turns", "reorder or split the record", Fault.TURNS)
    return turns


def _turn(written: Any) -> Turn:
    if not isinstance(written, dict):
        raise RecordError(f"the turn {_shown(written)}", "an object with from and value", "rewrite it", Fault.TURNS)
    name, text = written.get("from", written.get("role")), written.get("value", written.get("content"))
    if name not in _ROLES:
        raise RecordError(f"a turn from {_shown(name)}", f"one of {', '.join(_ROLES)}", "rename it", Fault.TURNS)
    if not isinstance(text, str):
        raise RecordError(f"a turn that says {_shown(text)}", "text", "write it in quotes", Fault.TURNS)
    if VIDEO_TOKEN in text:
        raise RecordError(
            f"{VIDEO_TOKEN} in the text", f"{PLACEHOLDERS[0]} where media stand", "replace it", Fault.MARKER
        )
    if _ROLES[name] == "assistant" and not text.strip():
        raise RecordError(
            "an answer without text", "text to be learned", "add it, or delete the turn", Fault.EMPTY_ANSWER
        )
    return Turn(_ROLES[name], text)


def _with_markers(turns: Sequence[Turn], media: int) -> tuple[Turn, ...]:
    """Turns with a marker for each placeholder that stands for media.

    A placeholder in an answer is plain text. Where users' turns have more placeholders than there are media, those that
    fill a line of their own stand for media and the others are text, if that makes the numbers equal.

    Raises:
        RecordError: the number of placeholders is not that of the media, or a question has no text.
    """
    asked = [turn.text for turn in turns if turn.role == "user"]
    pattern = next(
        (one for one in (_PLACEHOLDER, _PLACEHOLDER_LINE) if sum(len(one.findall(text)) for text in asked) == media),
        None,
    )
    if pattern is None:
        count = sum(len(_PLACEHOLDER.findall(text)) for text in asked)
        found = f"{counted(count, 'placeholder')} for {counted(media, 'image or video', 'images or videos')}"
        expected = "one for each, in the users' turns"
        raise RecordError(found, expected, f"write {PLACEHOLDERS[0]} once for each", Fault.PLACEHOLDER_COUNT)
    marked = [Turn(one.role, pattern.sub(VIDEO_TOKEN, one.text)) if one.role == "user" else one for one in turns]
    if any(one.role == "user" and not one.text.replace(VIDEO_TOKEN, "").strip() for one in marked):
        found = "a user's turn without text"
        raise RecordError(found, "a question", "add it, or delete the record", Fault.EMPTY_QUESTION)
    return tuple(marked)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]} ..."
