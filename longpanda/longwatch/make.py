"""A suite's folder: filled by any number of processes, gone on with after any interruption, and checked."""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from longpanda.errors import ConfigError
from longpanda.longwatch.film import Film, file_sha256, film, raw_sha256, read_film
from longpanda.longwatch.manifest import MANIFEST, difference, read_hashes, require_film, require_made
from longpanda.longwatch.suite import FOOTAGE_PLAN, PLAN, Entry, SuitePlan
from longpanda.types import Sample
from longpanda.video import alone_in, write_whole

QUESTIONS, VIDEOS = "questions.jsonl", "videos"


class Named(Protocol):
    """One video of a plan."""

    @property
    def name(self) -> str:
        """Of its file, without the suffix."""


class Plan(Protocol):
    """What decides the videos and the questions of a folder.

    Attributes:
        FILE: the name of the file that holds it.
    """

    FILE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def entries(self) -> Sequence[Named]:
        """The videos."""

    def samples(self) -> Iterator[Sample]:
        """The questions, those of one video together."""

    def to_json(self) -> str:
        """What `read` reads."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The plan that a folder was begun with. Raises ConfigError where there is none."""


def make(plan: SuitePlan, folder: Path, workers: int = 1) -> Iterator[Entry]:
    """Film what is missing, then write the questions and the manifest, which marks the suite as complete.

    Args:
        plan: the suite.
        folder: where it goes: suite.json, videos/, questions.jsonl, manifest.json.
        workers: processes that film.

    Returns:
        every video of the plan, once it is there; nothing is filmed before the first is asked for, but a folder that
        holds anything else is refused at once.

    Raises:
        ConfigError: the folder holds another suite, is being filled by another process, or cannot be written; or a
            worker was killed.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers", "at least 1", "give more")
    open_folder(plan, folder)
    return _made(plan, folder, workers)


def _made(plan: SuitePlan, folder: Path, workers: int) -> Iterator[Entry]:
    with claimed(plan, folder):
        missing = [entry for entry in plan.entries if not _is_there(plan, entry, folder)]
        if missing:
            (folder / MANIFEST).unlink(missing_ok=True)
        yield from (entry for entry in plan.entries if entry not in missing)
        yield from _filmed(plan, missing, folder, workers)
        complete(plan, folder)


@contextmanager
def claimed(plan: Plan, folder: Path) -> Iterator[None]:
    """Hold a folder that is this plan's alone, without anything a killed process left half-written.

    Raises:
        ConfigError: it holds another suite or other files, is being filled by another process, or cannot be written.
    """
    open_folder(plan, folder)
    with alone_in(folder):
        _claim(plan, folder)
        yield


def open_folder(plan: Plan, folder: Path) -> None:
    """Make a folder for this plan, or find that it holds nothing else; others may still be filling it.

    Raises:
        ConfigError: it holds another suite or other files, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"'{folder}' cannot hold a suite ({error.strerror})", "a folder", "use another") from error
    _refuse_other_files(plan, folder)
    _refuse_other_plan(plan, folder)


def complete(plan: Plan, folder: Path) -> None:
    """Write the questions, and the manifest, which marks the suite as complete; all videos must be there."""
    write_whole(folder / QUESTIONS, questions_jsonl(plan))
    hashes = {name: file_sha256(folder / name) for name in [QUESTIONS, *_names(plan)]}
    write_whole(folder / MANIFEST, json.dumps({"sha256": hashes}, indent=2) + "\n")


def verify(folder: Path, frames: bool = False) -> Iterator[tuple[str, str]]:
    """Hold every file of a suite against the manifest and against what the plan says anew.

    Args:
        folder: of the suite.
        frames: render every video again and compare the raw frames too; takes about as long as making the suite.

    Yields:
        the name of every file, and what is wrong with it or "".

    Raises:
        ConfigError: the folder holds no complete suite.
    """
    plan = SuitePlan.read(folder)
    hashes = read_hashes(folder)
    questions = hashlib.sha256(questions_jsonl(plan).encode()).hexdigest()
    other = "" if hashes.get(QUESTIONS) == questions else "not of this plan"
    yield QUESTIONS, difference(folder / QUESTIONS, hashes.get(QUESTIONS)) or other
    for entry in plan.entries:
        record, video = (f"{VIDEOS}/{entry.name}{end}" for end in (".json", ".mp4"))
        yield record, difference(folder / record, hashes.get(record)) or _of_plan(plan, entry, folder, frames)
        yield video, difference(folder / video, hashes.get(video)) or _of_record(entry, folder)


def questions_jsonl(plan: Plan) -> str:
    """All questions, one JSON object a line."""
    return "".join(json.dumps(asdict(sample)) + "\n" for sample in plan.samples())


def read_questions(folder: Path) -> list[Sample]:
    """The questions of a complete suite; `Sample.video` is the name of the file in videos/, without its suffix.

    Raises:
        ConfigError: the folder holds no complete suite, its questions were changed since it was made, or the film of
            one is missing.
    """
    path = folder / QUESTIONS
    require_made(path, read_hashes(folder).get(QUESTIONS))
    try:
        samples = [Sample.from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError, KeyError) as error:
        found = f"'{path}' holds no questions ({error})"
        raise ConfigError(found, "what make wrote", "make the suite again") from error
    for video in dict.fromkeys(sample.video for sample in samples):
        require_film(folder / VIDEOS / f"{video}.mp4")
    return samples


def is_of_suite(path: Path) -> bool:
    """Whether a file is one of those that make or insert write into a suite's folder."""
    for folder in (path.parent, path.parent.parent):
        plans = [name for name in (PLAN, FOOTAGE_PLAN) if (folder / name).is_file()]
        names = [*plans, QUESTIONS, MANIFEST, "lock"] if plans else []
        if path in [folder / name for name in names] or (plans and path.parent == folder / VIDEOS):
            return True
    return False


def _claim(plan: Plan, folder: Path) -> None:
    """Make the folder this suite's, and sweep what a killed process left half-written."""
    _refuse_other_plan(plan, folder)
    if not (path := folder / plan.FILE).exists():
        write_whole(path, plan.to_json())
    (folder / VIDEOS).mkdir(exist_ok=True)
    for path in map(folder.joinpath, [plan.FILE, QUESTIONS, MANIFEST, *_names(plan)]):
        for left in path.parent.glob(f".{path.name}.*"):
            left.unlink()


def _refuse_other_plan(plan: Plan, folder: Path) -> None:
    """A folder that was begun with one plan is not gone on with under another."""
    if (folder / plan.FILE).exists() and (stored := plan.read(folder)) != plan:
        changed = [name for name, value in asdict(plan).items() if asdict(stored)[name] != value]
        found = f"'{folder}' holds a suite with another {', '.join(changed)}"
        raise ConfigError(found, "the plan it was begun with", "use another folder, or delete it")


def _names(plan: Plan) -> list[str]:
    """The videos and the records beside them, in the suite's folder."""
    return [f"{VIDEOS}/{entry.name}{end}" for entry in plan.entries for end in (".mp4", ".json")]


def _refuse_other_files(plan: Plan, folder: Path) -> None:
    """A suite has its folder to itself."""
    if not (folder / plan.FILE).exists() and (other := [path.name for path in folder.iterdir() if path.name != "lock"]):
        left = [name for name in other if not name.startswith(f".{plan.FILE}.")]  # of a make that was killed at once
        if left:
            raise ConfigError(f"'{folder}' holds other files, such as '{left[0]}'", "a new or empty folder", "name one")


def _filmed(plan: SuitePlan, missing: list[Entry], folder: Path, workers: int) -> Iterator[Entry]:
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        futures = {pool.submit(_film, plan, entry, folder): entry for entry in reversed(missing)}  # the longest first
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        found = "a process that was filming was killed"
        raise ConfigError(found, "memory for all of them", "run make again, with fewer --workers") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """At Ctrl-C, and when the process that makes the suite is gone, a film that has begun is given up.

    The next make sweeps it. Without this, workers of a process that was killed would wait for ever for its next film.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


def _target(entry: Entry, folder: Path) -> Path:
    return folder / VIDEOS / f"{entry.name}.mp4"


def _film(plan: SuitePlan, entry: Entry, folder: Path) -> None:
    film(plan.scene(entry), _target(entry, folder), plan.size_px, plan.fps, plan.crf)


def _is_there(plan: SuitePlan, entry: Entry, folder: Path) -> bool:
    target = _target(entry, folder)
    try:
        made = read_film(target)
        return target.is_file() and _matches(plan, entry, made) and file_sha256(target) == made.file_sha256
    except ConfigError:
        return False


def _matches(plan: SuitePlan, entry: Entry, made: Film) -> bool:
    wanted = (plan.scene(entry), plan.size_px, plan.fps, plan.crf)
    return (made.scene, made.size_px, made.fps, made.crf) == wanted


def _of_plan(plan: SuitePlan, entry: Entry, folder: Path, frames: bool) -> str:
    made = read_film(_target(entry, folder))
    if not _matches(plan, entry, made):
        return "not of this plan"
    same = not frames or raw_sha256(made.scene, made.size_px, made.fps) == made.frames_sha256
    return "" if same else "its raw frames differ from those rendered now"


def _of_record(entry: Entry, folder: Path) -> str:
    target = _target(entry, folder)
    try:
        return "" if file_sha256(target) == read_film(target).file_sha256 else "not the film of its record"
    except ConfigError:
        return "no record of a film beside it"
