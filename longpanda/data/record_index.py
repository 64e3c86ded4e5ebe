"""The index of an annotation file: where each record is and what it is about, memory-mapped by every process."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from longpanda.data.scan import ENTRY, Mistake, scan
from longpanda.data.schema import Fault, Record, RecordError, parse_record
from longpanda.errors import ConfigError
from longpanda.files import atomic_path, write_atomic

VERSION: Final = 2
_KEY_LETTERS: Final = 16
Progress = Callable[[int], None]
"""Told of the bytes of each file that has been indexed."""


@dataclass(frozen=True)
class RecordIndex:
    """Random access to the records of one annotation file.

    Args:
        path: the annotation file.
        entries: `ENTRY` [records], memory-mapped: processes share one copy.
        mistakes: the first few records that cannot be used.
        sha256: of the file's content.
    """

    path: Path
    entries: "np.memmap[Any, Any]"
    mistakes: tuple[Mistake, ...]
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.entries)

    def __getstate__(self) -> dict[str, Any]:
        """Without the entries, which NumPy would copy: another process maps the same file."""
        stored = self.entries.filename
        return {"path": self.path, "stored": stored, "mistakes": self.mistakes, "sha256": self.sha256}

    def __setstate__(self, state: dict[str, Any]) -> None:
        entries = np.load(state.pop("stored"), mmap_mode="r")
        self.__dict__.update(entries=entries, **state)

    def read(self, number: int) -> Record:
        """Read one record.

        Args:
            number: from 0.

        Raises:
            RecordError: the record cannot be used; the message names the file and the record.
        """
        entry = self.entries[number]
        try:
            return parse_record(os.pread(self._file, int(entry["bytes"]), int(entry["offset"])))
        except RecordError as error:
            found = f"record {number + 1} of '{self.path}': {error.found}"
            raise RecordError(found, error.expected, error.remedy, error.fault) from error

    def faults(self, numbers: range) -> dict[Fault, int]:
        """How many of these records cannot be used, by reason."""
        kinds, counts = np.unique(self.entries["fault"][numbers.start : numbers.stop], return_counts=True)
        return {Fault(kind): int(count) for kind, count in zip(kinds, counts, strict=True) if kind}

    @cached_property
    def _file(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)


def default_cache() -> Path:
    """Return the folder of indexes if a recipe names none: .cache/longpanda/annotations in the user's home folder."""
    return Path.home() / ".cache" / "longpanda" / "annotations"


def open_index(path: Path, cache: Path) -> RecordIndex | None:
    """Open the index of an annotation file.

    Args:
        path: the annotation file.
        cache: folder of indexes.

    Returns:
        None if there is no index, or the file has changed since it was made.
    """
    base = _base(path, cache)
    try:
        about = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
        if about["file"] != _identity(path):
            return None
        entries = np.load(base.with_suffix(".npy"), mmap_mode="r")
        mistakes, sha256 = tuple(Mistake(**one) for one in about["mistakes"]), str(about["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return RecordIndex(path, entries, mistakes, sha256) if entries.dtype == ENTRY else None


def index_files(
    paths: Iterable[Path], cache: Path, processes: int = 1, progress: Progress | None = None
) -> list[RecordIndex]:
    """Open the indexes of annotation files, and make those that are missing or out of date.

    Each file's index is written as a whole when it is done: a killed run loses the files in work only.

    Args:
        paths: annotation files.
        cache: folder of indexes; it is made.
        processes: files scanned at the same time.
        progress: called whenever a file has been scanned.

    Raises:
        ConfigError: a file that cannot be read, has no records or is damaged, or a folder that cannot be written.
    """
    every = list(dict.fromkeys(paths))
    left = [path for path in every if open_index(path, cache) is None]
    if left:
        _make_folder(cache)
    if processes == 1 or len(left) < 2:
        for path in left:
            _report(progress, _make(path, cache))
    else:
        left.sort(key=lambda path: path.stat().st_size if path.exists() else 0, reverse=True)
        with ProcessPoolExecutor(min(processes, len(left)), get_context("spawn")) as pool:
            for done in as_completed([pool.submit(_make, path, cache) for path in left]):
                _report(progress, done.result())
    found = [open_index(path, cache) for path in every]
    changed = next((path for path, one in zip(every, found, strict=True) if one is None), None)
    if changed is not None:
        raise ConfigError(f"'{changed}' changed while it was read", "a file at rest", "run it again")
    return [one for one in found if one is not None]


def _make_folder(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"'{cache}' cannot be made ({error.strerror})"
        raise ConfigError(found, "a folder for indexes of records", "set cache: to another folder") from error


def _report(progress: Progress | None, size_bytes: int) -> None:
    if progress is not None:
        progress(size_bytes)


def _make(path: Path, cache: Path) -> int:
    """Scan one file and write its index; returns the file's size in bytes."""
    base, before = _base(path, cache), _identity(path)
    scanned = scan(path)
    with atomic_path(base.with_suffix(".npy")) as name, open(name, "wb") as file:
        np.save(file, scanned.entries)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    about = {"file": before, "sha256": sha256, "mistakes": [asdict(one) for one in scanned.mistakes]}
    write_atomic(base.with_suffix(".json"), json.dumps(about))
    return int(before["bytes"])


def _base(path: Path, cache: Path) -> Path:
    return cache / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:_KEY_LETTERS]


def _identity(path: Path) -> dict[str, Any]:
    """What tells a file from what it was: a change of its content changes its size or its time.

    Raises:
        ConfigError: the file is not there.
    """
    try:
        known = path.stat()
    except OSError as error:
        raise ConfigError(f"no file '{path}' ({error.strerror})", "an annotation file", "fetch it") from error
    where = str(path.resolve())
    return {"version": VERSION, "path": where, "bytes": known.st_size, "modified_ns": known.st_mtime_ns}
