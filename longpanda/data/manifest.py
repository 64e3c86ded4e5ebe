"""The manifest of a mixture: what is known of each of its media files, in Parquet, made once and gone on with."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from longpanda.data.media import MediaFile, find_media, identity_of, probe_media
from longpanda.data.media_facts import MediaError, MediaFacts, MediaFault
from longpanda.data.mixture import Mixture, Source
from longpanda.data.probing import Probe, check_pebble, probe_all
from longpanda.data.record_index import RecordIndex
from longpanda.data.schema import Media
from longpanda.data.selection import selected
from longpanda.errors import ConfigError
from longpanda.files import atomic_path, exclusive_lock, not_writable

PART_FILES: Final = 4096
PART_SECONDS: Final = 20.0
"""A part is written when it has so many files, or so much time has passed: that much is lost when a run is killed."""
RETRIED: Final = (MediaFault.TIMEOUT, MediaFault.CRASHED)
"""Faults that may be the machine's and not the file's."""
_FAULTS: Final = tuple(MediaFault)
_ROW: Final = np.dtype(
    [
        ("key", "<u8"),
        ("check", "<u8"),
        ("modified_ns", "<i8"),
        ("size_bytes", "<u8"),
        ("duration_seconds", "<f8"),
        ("promised_seconds", "<f8"),
        ("fps", "<f8"),
        ("frames", "<u4"),
        ("width_px", "<u4"),
        ("height_px", "<u4"),
        ("fault", "u1"),
        ("codec", "<u2"),
    ]
)
_WORDS: Final = ("fault", "codec")
_NUMBERS: Final = tuple(name for name in _ROW.names or () if name not in ("key", "check", *_WORDS))
Progress = Callable[[int], None]
"""Told of how many images and videos of records have been dealt with."""


@dataclass(frozen=True)
class Manifest:
    """What is known of media files, by where they are.

    Args:
        folder: with one or more files part-*.parquet.
        rows: `_ROW` [files], sorted by key.
        codecs: names of the codecs that rows number.
        messages: what was found of files with a fault, by key; of missing files, which may be very many, nothing.
    """

    folder: Path
    rows: npt.NDArray[Any] = field(repr=False)
    codecs: tuple[str, ...] = ()
    messages: Mapping[int, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _sorted_keys(self) -> npt.NDArray[np.uint64]:
        """In a row of memory of their own: numpy would copy them at every search."""
        return np.ascontiguousarray(self.rows["key"])

    @cached_property
    def sha256(self) -> str:
        """Of all that is known: another one whenever a file was added or looked at again."""
        return hashlib.sha256(np.ascontiguousarray(self.rows).view(np.uint8).data).hexdigest()

    @classmethod
    def open(cls, folder: Path) -> "Manifest":
        """Open a manifest that `prepare` made.

        Raises:
            ConfigError: there is none, a part is damaged, or pyarrow is not installed.
        """
        check_parquet()
        parts = _parts(folder)
        if not parts:
            found = f"no manifest in '{folder}'"
            raise ConfigError(found, "the folder that data prepare wrote", "run: longpanda data prepare MIXTURE")
        codecs: dict[str, int] = {}
        messages: dict[int, str] = {}
        rows = np.concatenate([_read(part, codecs, messages) for part in parts])
        rows = rows[np.argsort(rows["key"], kind="stable")]
        is_last = np.append(rows["key"][1:] != rows["key"][:-1], True)  # of several parts, the newest counts
        return cls(folder, rows[is_last], tuple(codecs), messages)

    def facts(self, media: Media, source: Source) -> MediaFacts:
        """What is known of the file of an image or a video; see `MediaFacts.part` for the part that is annotated.

        Raises:
            MediaError: the source has no root folder.
            ConfigError: the file is not in the manifest.
        """
        file = find_media(media, source)
        facts = self.known(file)
        if facts is None:
            found = f"'{file.path}' is not in the manifest '{self.folder}'"
            raise ConfigError(found, "every file of the mixture", "run longpanda data prepare again, which adds it")
        return facts

    def known(self, file: MediaFile) -> MediaFacts | None:
        """What is known of a file; None for one that is not in the manifest."""
        key, check = _keys(file)
        at = int(np.searchsorted(self._sorted_keys, np.uint64(key)))
        if at == len(self.rows) or int(self._sorted_keys[at]) != key:
            return None
        row = dict(zip(_ROW.names or (), self.rows[at].item(), strict=True))
        if row["check"] != check:
            return None
        fault = _FAULTS[row["fault"]]
        message = "" if fault in (MediaFault.NONE, MediaFault.MISSING) else self.messages.get(key, "")
        numbers = {name: row[name] for name in _NUMBERS}
        facts = MediaFacts(str(file.path), file.kind, fault, message, codec=self.codecs[row["codec"]], **numbers)
        if file.kind != "frames" or not facts.fps:
            return facts
        return replace(facts, fps=file.fps, duration_seconds=facts.duration_seconds * facts.fps / file.fps)


def manifest_folder(mixture: Path) -> Path:
    """Where the manifest of a mixture is, if nothing else is said: beside its yaml, under its name."""
    return mixture.with_suffix(".manifest")


def prepare(
    mixture: Mixture,
    indexes: Sequence[RecordIndex],
    folder: Path,
    *,
    processes: int = 1,
    limit_seconds: float = 60.0,
    is_retried: bool = False,
    progress: Progress | None = None,
    probe: Probe = probe_media,
) -> Manifest:
    """Look at every media file of a mixture's selected records once, and keep what is found.

    A file that is known is looked at again where its size or time of change is another, or it was missing and is there.
    A killed run is gone on with: it loses the part in work only.

    Args:
        mixture: whose media.
        indexes: of its sources' annotation files, in order.
        folder: where the manifest goes; it is made.
        processes: files looked at at the same time.
        limit_seconds: for one file, see `probe_all`.
        is_retried: look again at files at which a process was stopped or ended.
        progress: called as work goes on.
        probe: looks at one file.

    Raises:
        ConfigError: pyarrow or pebble is not installed, another process is at work in the folder, or it cannot be
            written.
    """
    check_parquet()
    check_pebble()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    report = progress or _ignore
    with exclusive_lock(folder):
        for unfinished in folder.glob(".part-*"):  # of a run that was killed while it wrote
            unfinished.unlink()
        known = Manifest.open(folder) if _parts(folder) else None
        stale = _stale(media_of(mixture, indexes), known, is_retried, report)
        with _Writer(folder, is_empty=known is None) as writer:
            for facts in probe_all(stale, processes, limit_seconds, probe):
                writer.add(facts)
                report(1)
    return Manifest.open(folder)


def media_of(mixture: Mixture, indexes: Sequence[RecordIndex]) -> Iterator[MediaFile | None]:
    """The file of every image and video of the selected records, once for each mention; None without a root folder."""
    for source, index in zip(mixture.sources, indexes, strict=True):
        for number in selected(source.strategy, len(index)):
            if index.entries["fault"][number] or not index.entries["media"][number]:
                continue
            for media in index.read(number).media:
                try:
                    yield find_media(media, source)
                except MediaError:
                    yield None


def count_media(mixture: Mixture, indexes: Sequence[RecordIndex]) -> int:
    """How many images and videos the selected records have; 255 for a record with more."""
    total = 0
    for source, index in zip(mixture.sources, indexes, strict=True):
        numbers = selected(source.strategy, len(index))
        total += int(index.entries["media"][numbers.start : numbers.stop].sum(dtype=np.int64))
    return total


def _ignore(_count: int) -> None:
    """Progress that nobody watches."""


def _stale(
    files: Iterable[MediaFile | None], known: Manifest | None, is_retried: bool, report: Progress
) -> Iterator[MediaFile]:
    """The files that are to be looked at, each once; tells of the others as work that is done."""
    seen: set[int] = set()
    for file in files:
        key = 0 if file is None else _keys(file)[0]
        if file is None or key in seen or (known is not None and _is_current(known.known(file), file, is_retried)):
            report(1)
        else:
            yield file
        seen.add(key)


def _is_current(facts: MediaFacts | None, file: MediaFile, is_retried: bool) -> bool:
    if facts is None or (is_retried and facts.fault in RETRIED):
        return False
    now = identity_of(file)
    same_size = file.kind == "frames" or now.size_bytes == facts.size_bytes  # that of a folder is that of its frames
    return same_size and now.modified_ns == facts.modified_ns


def check_parquet() -> None:
    """Check that Parquet can be read and written. Raises ConfigError where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        remedy = "run: pip install 'longpanda[data]'"
        raise ConfigError("pyarrow is not installed", "the extra 'data', for manifests of media", remedy) from error


class _Writer:
    """Writes parts of a manifest, each as a whole or not at all; a context manager, which writes the last one.

    Args:
        folder: of the manifest.
        is_empty: write a part even if it has no file, so that there is a manifest.
    """

    def __init__(self, folder: Path, is_empty: bool) -> None:
        parts = _parts(folder)
        self._folder, self._next = folder, 1 + (_number(parts[-1]) if parts else -1)
        self._rows: list[MediaFacts] = []
        self._must_write, self._since = is_empty, time.monotonic()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._rows or (self._must_write and error == (None, None, None)):
            self._write()

    def add(self, facts: MediaFacts) -> None:
        """Keep what is known of a file."""
        self._rows.append(facts)
        if len(self._rows) >= PART_FILES or time.monotonic() - self._since >= PART_SECONDS:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {one.name: [getattr(facts, one.name) for facts in self._rows] for one in fields(MediaFacts)}
        columns["fault"] = [str(fault) for fault in columns["fault"]]
        columns["path"] = [os.fsencode(path) for path in columns["path"]]
        columns["message"] = [_text(message) for message in columns["message"]]
        files = [MediaFile(Path(facts.path), facts.kind) for facts in self._rows]
        keys = np.array([_keys(file) for file in files], np.uint64).reshape(-1, 2)
        types = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "MediaFault": pa.string()}
        schema = [("key", pa.uint64()), ("check", pa.uint64()), ("path", pa.binary())]
        schema += [(one.name, types[_type_name(one.type)]) for one in fields(MediaFacts) if one.name != "path"]
        table = pa.table({"key": keys[:, 0], "check": keys[:, 1], **columns}, schema=pa.schema(schema))
        target = self._folder / f"part-{self._next:06d}.parquet"
        with atomic_path(target) as name:
            try:
                pq.write_table(table, name)
            except OSError as error:
                raise not_writable(target, error) from error
        self._rows, self._next, self._since = [], self._next + 1, time.monotonic()


def _type_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.__name__)


def _text(message: str) -> str:
    """Without the bytes of a file name that are no text, which Parquet's strings cannot hold."""
    return message.encode("utf-8", "replace").decode()


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _number(part: Path) -> int:
    return int(part.stem.removeprefix("part-"))


def _read(part: Path, codecs: dict[str, int], messages: dict[int, str]) -> npt.NDArray[Any]:
    """Read the numbers of a part, as `_ROW`; codecs that are new get the next number. Raises ConfigError.

    Args:
        part: the file.
        codecs: numbers of codecs, which is added to.
        messages: as `Manifest.messages`, which is added to.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(part, columns=["key", "check", "message", *_WORDS, *_NUMBERS])
        rows = np.empty(len(table), _ROW)
        for name in ("key", "check", *_NUMBERS):
            rows[name] = table[name].to_numpy()
        rows["fault"] = [_FAULTS.index(MediaFault(fault)) for fault in table["fault"].to_pylist()]
        rows["codec"] = [codecs.setdefault(codec, len(codecs)) for codec in table["codec"].to_pylist()]
        told = table.filter(pc.invert(pc.is_in(table["fault"], pa.array([MediaFault.NONE, MediaFault.MISSING]))))
        messages.update(zip(told["key"].to_pylist(), told["message"].to_pylist(), strict=True))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        found = f"'{part}' is no part of a manifest ({' '.join(str(error).split())})"
        raise ConfigError(found, "a file that data prepare wrote", "delete it and prepare again") from error
    return rows


def _keys(file: MediaFile) -> tuple[int, int]:
    """128 bits of a hash of where a file is and how it is read."""
    name = os.fsencode(os.path.abspath(file.path))
    digest = hashlib.blake2b(file.kind.encode() + b"\0" + name, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
