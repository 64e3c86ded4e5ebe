"""Annotation files to where each record begins, how long it is and what it is about, in one pass of little memory."""

import codecs
import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from longpanda.data.schema import Fault, Record, RecordError, read_record
from longpanda.errors import ConfigError

ENTRY: Final = np.dtype(
    [
        ("offset", "<u8"),
        ("bytes", "<u4"),
        ("characters", "<u4"),
        ("kind", "u1"),
        ("media", "u1"),
        ("turns", "u1"),
        ("fault", "u1"),
    ]
)
"""One record: where its JSON begins and its length, characters of all turns, its kind (of `KINDS`), number of media and
turns (255 for more), and a `Fault`."""
KINDS: Final = ("text", "image", "video")
_WINDOW_BYTES: Final = 1 << 24
_BLOCK: Final = 1 << 16
"""Records held as Python objects."""
_MOST_SAID: Final = 20
_MOST: Final = 255
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True)
class Mistake:
    """A record that cannot be used.

    Args:
        number: of the record in its file, from 0.
        line: of the record's beginning in its file, from 1.
        fault: the name of its `Fault`.
        message: what was found, expected and is to be done.
    """

    number: int
    line: int
    fault: str
    message: str


@dataclass(frozen=True)
class Scanned:
    """What a file holds.

    Args:
        entries: `ENTRY` [records].
        mistakes: the first few records that cannot be used; `entries` has them all.
    """

    entries: npt.NDArray[Any]
    mistakes: tuple[Mistake, ...]


def scan(path: Path) -> Scanned:
    """Find every record of an annotation file.

    A damaged line of a JSONL file costs that line. A JSON list cannot be read on behind damage.

    Args:
        path: .jsonl, one record in each line, or .json, one list of records.

    Raises:
        ConfigError: the file cannot be read, has no records, or is a damaged list.
    """
    blocks: list[npt.NDArray[Any]] = []
    rows: list[tuple[int, ...]] = []
    mistakes: list[Mistake] = []
    try:
        pieces = _lines(path) if path.suffix == ".jsonl" else _elements(path)
        for offset, line, size, values in pieces:
            row, mistake = _row(offset, size, values)
            if mistake is not None and len(mistakes) < _MOST_SAID:
                number = len(blocks) * _BLOCK + len(rows)
                mistakes.append(Mistake(number, line, mistake.fault.name.lower(), str(mistake)))
            rows.append(row)
            if len(rows) == _BLOCK:
                blocks.append(np.array(rows, dtype=ENTRY))
                rows.clear()
    except OSError as error:
        found = f"'{path}' cannot be read ({error.strerror})"
        raise ConfigError(found, "an annotation file", "name one that can be read") from error
    blocks.append(np.array(rows, dtype=ENTRY))
    entries = np.concatenate(blocks)
    if not len(entries):
        raise ConfigError(f"no record in '{path}'", "at least one", "fetch the file again, or leave it out")
    return Scanned(entries, tuple(mistakes))


def _row(offset: int, size: int, values: Any) -> tuple[tuple[int, ...], RecordError | None]:
    """A row of `ENTRY`, and why the record cannot be used."""
    try:
        if isinstance(values, RecordError):
            raise values
        record = read_record(values)
    except RecordError as error:
        return (offset, size, 0, 0, 0, 0, int(error.fault)), error
    return (offset, size, *_facts(record), int(Fault.NONE)), None


def _facts(record: Record) -> tuple[int, int, int, int]:
    characters = sum(len(turn.text) for turn in record.turns)
    kind, media, turns = KINDS.index(record.kind), len(record.media), len(record.turns)
    return characters, kind, min(media, _MOST), min(turns, _MOST)


def _lines(path: Path) -> Iterator[tuple[int, int, int, Any]]:
    """Offset, line number, size and content of every line that is not blank."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield offset, number, len(line), _parsed(line)
            offset += len(line)


def _parsed(line: bytes) -> Any:
    """The content of a line; a `RecordError` in its place where it is not JSON."""
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return RecordError(f"text that is not JSON ({error})", "an object", "fix or delete it", Fault.JSON)


def _elements(path: Path) -> Iterator[tuple[int, int, int, Any]]:
    """Offset, line number, size and content of every element of a JSON list, which is never whole in memory."""
    if not path.stat().st_size:  # which cannot be mapped
        raise _damaged(path, 0, 0, "a list of records")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        window = _Window(data)
        at, line, token = _next_byte(data, 3 * (data[:3] == codecs.BOM_UTF8), 1)
        number, expected = 0, b"["
        while token == expected:
            start, line, first = _next_byte(data, at, line)
            if first == b"]" and number == 0:
                return
            end = window.end_of_element(start - 1)
            if end is None:
                raise _damaged(path, number, start - 1, "a whole record")
            yield start - 1, line, end - start + 1, _parsed(data[start - 1 : end])
            line += data[start - 1 : end].count(b"\n")
            number, expected = number + 1, b","
            at, line, token = _next_byte(data, end, line)
        if token != b"]" or not number:
            raise _damaged(path, number, at - 1, "a list of records, with commas between them")


def _next_byte(data: mmap.mmap, at: int, line: int) -> tuple[int, int, bytes]:
    """The place behind the next byte that is not white space, its line, and the byte; b"" at the end."""
    while (byte := data[at : at + 1]).isspace():
        line += byte == b"\n"
        at += 1
    return at + 1, line, byte


class _Window:
    """A piece of a file as Latin-1 text, in which a character is a byte; JSON's own characters are the same in UTF-8.

    Args:
        data: the file.
    """

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._base, self._text = data, 0, ""

    def end_of_element(self, start: int) -> int | None:
        """Where the JSON value that begins at `start` ends; None if it is damaged or cut off."""
        size = _WINDOW_BYTES
        while True:
            if start < self._base + len(self._text) and (end := self._decoded(start)) is not None:
                return end
            if self._base == start and start + len(self._text) == len(self._data):
                return None
            size = size * 4 if self._base == start and self._text else size
            self._base, self._text = start, self._data[start : start + size].decode("latin-1")
            if not self._text:
                return None

    def _decoded(self, start: int) -> int | None:
        """Where the value ends; None if it may reach behind the window."""
        try:
            _, end = _DECODER.raw_decode(self._text, start - self._base)
        except (ValueError, RecursionError):
            return None
        reaches_end = end == len(self._text) and self._base + end < len(self._data)
        return None if reaches_end else self._base + end


def _damaged(path: Path, number: int, offset: int, expected: str) -> ConfigError:
    found = f"'{path}' is damaged at record {number + 1}, byte {offset}"
    return ConfigError(found, expected, "fetch it again; records behind the damage of a list cannot be found")
