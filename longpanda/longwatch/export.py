"""Export a suite as a data set: questions as Parquet, the films, a data card and tasks for lmms-eval."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from longpanda import __version__
from longpanda.errors import ConfigError
from longpanda.files import atomic_path, exclusive_lock, not_writable, write_atomic
from longpanda.longwatch.card import card
from longpanda.longwatch.film import file_sha256
from longpanda.longwatch.folder import QUESTIONS, read_questions
from longpanda.longwatch.harness import task_files
from longpanda.longwatch.manifest import VIDEOS, films_of, manifest_of, read_hashes, require_made
from longpanda.longwatch.rows import check_parquet, write_parquet
from longpanda.longwatch.suite import SuitePlan

EXPORT_VERSION: Final = 2
CARD, TABLE, TASKS, RECORD = "README.md", "data/questions.parquet", "lmms_eval", "export.json"


@dataclass(frozen=True)
class _Suite:
    """A complete suite.

    Args:
        folder: folder of the suite.
        plan: plan of the suite.
        hashes: SHA-256 of its files, by name.
        sha256: SHA-256 of its manifest, which identifies the suite.
    """

    folder: Path
    plan: SuitePlan
    hashes: dict[str, str]
    sha256: str

    @classmethod
    def read(cls, folder: Path) -> "_Suite":
        """Read the suite in a folder. Raises ConfigError if there is no complete suite."""
        plan, hashes = SuitePlan.read(folder), read_hashes(folder)
        return cls(folder, plan, hashes, file_sha256(manifest_of(folder)))

    @property
    def films(self) -> list[str]:
        """Paths of the videos, relative to the suite's folder. The records of their scenes are not exported."""
        return films_of(self.hashes)

    @property
    def identity(self) -> dict[str, Any]:
        """Values that identify an export of this suite."""
        return {"version": EXPORT_VERSION, "longpanda": __version__, "suite_sha256": self.sha256}


def export(folder: Path, out: Path) -> Iterator[str]:
    """Write a suite as a data set. An interrupted export continues where it stopped.

    Files are written to a hidden folder beside `out`, which is renamed when it is complete. Films are hard links if the
    file system supports them: to change a film, replace the file instead of writing to it.

    Args:
        folder: folder of a complete suite.
        out: a new or empty folder, or one that holds this export, which is then checked.

    Yields:
        the name of every video as soon as it is exported and its hash agrees with the suite's manifest.

    Raises:
        ConfigError: the suite is incomplete or was changed since it was made; `out` lies inside it, holds other files,
            was changed since it was exported, or cannot be written; or pyarrow is missing.
    """
    suite, out = _Suite.read(folder), out.resolve()
    if out.is_relative_to(folder.resolve()):
        raise ConfigError(f"'{out}' in the suite's folder", "a folder outside it", "choose another")
    if _holds_export(suite, out):
        yield from _checked(suite, out)
        return
    check_parquet()
    require_made(folder / QUESTIONS, suite.hashes.get(QUESTIONS))
    begun = out.with_name(f".{out.name}.longpanda-export")
    try:
        (begun / VIDEOS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(out, error) from error
    with exclusive_lock(begun):
        _sweep(begun, suite)
        for name in suite.films:
            _place(folder / name, begun / name, suite.hashes[name])
            yield name
        _describe(suite, begun)
        (begun / "lock").unlink()
        try:
            os.replace(begun, out)
        except OSError as error:
            raise not_writable(out, error) from error


def _describe(suite: _Suite, begun: Path) -> None:
    """Write everything except the films; the record of the folder's files comes last."""
    samples = read_questions(suite.folder)
    for inside in ((begun / TABLE).parent, begun / TASKS):
        inside.mkdir(exist_ok=True)
    write_parquet(samples, begun / TABLE)
    tasks = task_files(suite.plan.families, f"../{TABLE}", f"{EXPORT_VERSION}-{suite.sha256[:12]}")
    for name, text in tasks.items():
        write_atomic(begun / TASKS / name, text)
    write_atomic(begun / CARD, card(suite.plan, samples, TABLE, suite.sha256))
    names = [CARD, TABLE, *(f"{TASKS}/{name}" for name in tasks)]
    hashes = {name: file_sha256(begun / name) for name in names} | {name: suite.hashes[name] for name in suite.films}
    write_atomic(begun / RECORD, json.dumps(suite.identity | {"sha256": hashes}, indent=2) + "\n")


def _holds_export(suite: _Suite, out: Path) -> bool:
    """Whether `out` already holds an export of this suite. Raises ConfigError if it holds other files."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / RECORD).is_file():
        found = f"'{out}' holds other files" if out.is_dir() else f"'{out}' is a file"
        raise ConfigError(found, "a new or empty folder", "choose another")
    stored = _record(out)
    if changed := [name for name, value in suite.identity.items() if stored.get(name) != value]:
        found = f"'{out}' holds an export with another {', '.join(changed)}"
        raise ConfigError(found, "a new or empty folder", "choose another, or delete it")
    return True


def _checked(suite: _Suite, out: Path) -> Iterator[str]:
    """Check every file of an existing export against its hash, and yield its films."""
    hashes: dict[str, str] = _record(out)["sha256"]
    for name, sha256 in hashes.items():
        _require_exported(out / name, sha256)
        if name in suite.films:
            yield name


def _record(out: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((out / RECORD).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        found = f"'{out / RECORD}' is no record of an export"
        raise ConfigError(found, "the record that export wrote", "choose another folder, or delete this one") from error


def _sweep(begun: Path, suite: _Suite) -> None:
    """Delete everything but films that an interrupted export left in the hidden folder, which no one else uses."""
    kept = {begun / name for name in (*suite.films, "lock")}
    for path in begun.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def _place(source: Path, target: Path, sha256: str) -> None:
    """Link a film to its new name unless it is there already; copy it if it cannot be linked."""
    if target.is_file() and file_sha256(target) == sha256:
        return
    require_made(source, sha256)
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as name:
        try:
            shutil.copyfile(source, name)
        except OSError as error:
            raise not_writable(target, error) from error


def _require_exported(path: Path, sha256: str) -> None:
    """Raise ConfigError if a file is missing or was changed."""
    if not path.is_file() or file_sha256(path) != sha256:
        problem = "changed since it was exported" if path.is_file() else "missing"
        remedy = "delete the folder and export again"
        raise ConfigError(f"'{path}' is {problem}", "the file as it was exported", remedy)
