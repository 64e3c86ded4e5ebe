"""The folder of a suite, generated or on real footage: its plan, its lock, its questions, and when it is complete."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from longpanda.errors import ConfigError
from longpanda.files import exclusive_lock, write_atomic
from longpanda.longwatch.film import file_sha256
from longpanda.longwatch.manifest import MANIFEST, VIDEOS, read_hashes, require_film, require_made
from longpanda.longwatch.suite import FOOTAGE_PLAN, PLAN
from longpanda.types import Sample

QUESTIONS = "questions.jsonl"


class Named(Protocol):
    """One video of a plan."""

    @property
    def name(self) -> str:
        """Name of the file, without its suffix."""


class FolderPlan(Protocol):
    """The plan that determines the videos and the questions of a folder.

    Attributes:
        FILE: name of the file that holds the plan.
    """

    FILE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def entries(self) -> Sequence[Named]:
        """The videos of the plan."""

    def samples(self) -> Iterator[Sample]:
        """Yield the questions, grouped by video."""

    def to_json(self) -> str:
        """Return the plan as JSON, as `read` expects it."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the plan of a folder. Raises ConfigError if there is none."""


@contextmanager
def claimed(plan: FolderPlan, folder: Path) -> Iterator[None]:
    """Lock the folder of a plan, and delete partial files that a killed process left.

    Raises:
        ConfigError: the folder holds another suite or other files, is locked by another process, or cannot be written.
    """
    open_folder(plan, folder)
    with exclusive_lock(folder):
        _claim(plan, folder)
        yield


def open_folder(plan: FolderPlan, folder: Path) -> None:
    """Create the folder of a plan, or check that an existing one holds nothing else. This does not lock it.

    Raises:
        ConfigError: the folder holds another suite or other files, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"'{folder}' cannot hold a suite ({error.strerror})"
        raise ConfigError(found, "a folder that can be written", "use another folder") from error
    _refuse_other_files(plan, folder)
    _refuse_other_plan(plan, folder)


def complete(plan: FolderPlan, folder: Path) -> None:
    """Write the questions, then the manifest, which marks the suite as complete. All videos must exist."""
    write_atomic(folder / QUESTIONS, questions_jsonl(plan))
    hashes = {name: file_sha256(folder / name) for name in [QUESTIONS, *_names(plan)]}
    write_atomic(folder / MANIFEST, json.dumps({"sha256": hashes}, indent=2) + "\n")


def questions_jsonl(plan: FolderPlan) -> str:
    """Return all questions as JSON Lines."""
    return "".join(json.dumps(asdict(sample)) + "\n" for sample in plan.samples())


def read_questions(folder: Path) -> list[Sample]:
    """Read the questions of a complete suite. `Sample.video` is the name of a file in videos/, without its suffix.

    Raises:
        ConfigError: the folder holds no complete suite, its questions were changed since it was made, or a film is
            missing.
    """
    path = folder / QUESTIONS
    require_made(path, read_hashes(folder).get(QUESTIONS))
    try:
        samples = [Sample.from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError, KeyError) as error:
        found = f"'{path}' holds no questions ({error})"
        raise ConfigError(found, "the questions that make wrote", "make the suite again") from error
    for video in dict.fromkeys(sample.video for sample in samples):
        require_film(folder / VIDEOS / f"{video}.mp4")
    return samples


def is_of_suite(path: Path) -> bool:
    """Whether a file is one that `make` or `insert` write into a suite's folder."""
    for folder in (path.parent, path.parent.parent):
        plans = [name for name in (PLAN, FOOTAGE_PLAN) if (folder / name).is_file()]
        names = [*plans, QUESTIONS, MANIFEST, "lock"] if plans else []
        if path in [folder / name for name in names] or (plans and path.parent == folder / VIDEOS):
            return True
    return False


def _claim(plan: FolderPlan, folder: Path) -> None:
    """Write the plan into the folder if it is new, and delete partial files that a killed process left."""
    _refuse_other_plan(plan, folder)
    if not (path := folder / plan.FILE).exists():
        write_atomic(path, plan.to_json())
    (folder / VIDEOS).mkdir(exist_ok=True)
    for path in map(folder.joinpath, [plan.FILE, QUESTIONS, MANIFEST, *_names(plan)]):
        for left in path.parent.glob(f".{path.name}.*"):
            left.unlink()


def _refuse_other_plan(plan: FolderPlan, folder: Path) -> None:
    """Raise ConfigError if the folder was started with another plan."""
    if (folder / plan.FILE).exists() and (stored := plan.read(folder)) != plan:
        changed = [name for name, value in asdict(plan).items() if asdict(stored)[name] != value]
        found = f"'{folder}' holds a suite with another {', '.join(changed)}"
        raise ConfigError(found, "the plan that it was started with", "use another folder, or delete it")


def _names(plan: FolderPlan) -> list[str]:
    """Return the paths of videos and their records, relative to the suite's folder."""
    return [f"{VIDEOS}/{entry.name}{end}" for entry in plan.entries for end in (".mp4", ".json")]


def _refuse_other_files(plan: FolderPlan, folder: Path) -> None:
    """Raise ConfigError if the folder holds files that do not belong to a suite."""
    if not (folder / plan.FILE).exists() and (other := [path.name for path in folder.iterdir() if path.name != "lock"]):
        left = [name for name in other if not name.startswith(f".{plan.FILE}.")]  # of a make that was killed at once
        if left:
            raise ConfigError(f"'{folder}' holds other files, such as '{left[0]}'", "a new or empty folder", "use one")
