"""Reserves a folder for one run: one recipe, one process that writes, and a record of recipe and versions."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers

from longpanda import __version__
from longpanda.errors import ConfigError, counted
from longpanda.files import exclusive_lock, write_atomic
from longpanda.provenance import commit
from longpanda.train.recipe import Recipe, recipe_of

FREE = {"workers", "threads", "save_steps", "log_steps"}
"""Fields of a recipe that may change when a run resumes, because they do not affect the result."""


@contextmanager
def claim(out: Path, recipe: Recipe, processes: int) -> Iterator[None]:
    """Lock `out` as the folder of this recipe's run. Rank 0 does so before the first step.

    Raises:
        ConfigError: another process holds the lock, the folder cannot be written, or as `check`.
    """
    with ExitStack() as held:
        with _writable(out):
            out.mkdir(parents=True, exist_ok=True)
            held.enter_context(exclusive_lock(out))
            check(out, recipe, processes)
        yield


def check(out: Path, recipe: Recipe, processes: int) -> None:
    """Check that a folder does not hold another run, without locking it. All ranks but 0 do so.

    Raises:
        ConfigError: the folder holds a run of another recipe, or a stage that another number of processes began.
    """
    check_recipe(out, recipe)
    _check_processes(out, recipe, processes)


def record(out: Path, recipe: Recipe, processes: int) -> None:
    """Write recipe.json, and add this start to run.json. Raises ConfigError as `claim`."""
    with _writable(out):
        write_atomic(out / "recipe.json", json.dumps(dataclasses.asdict(recipe), indent=2))
        write_atomic(out / "run.json", json.dumps([*_starts(out), _made_with(processes)], indent=2))


def forget(out: Path) -> None:
    """Delete what `record` wrote, for a run without any step."""
    for name in ("recipe.json", "run.json"):
        (out / name).unlink(missing_ok=True)


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        found = f"'{out}' cannot hold a run ({error.strerror})"
        raise ConfigError(found, "a writable folder", "use another --out") from error


def check_recipe(out: Path, recipe: Recipe) -> None:
    """Raise ConfigError if the folder holds a run of another recipe."""
    path = out / "recipe.json"
    if not path.exists():
        return
    try:
        stored = dataclasses.asdict(recipe_of(json.loads(path.read_text())))
    except (ValueError, ConfigError) as error:
        found = f"'{path}' is damaged, or was written by another version ({error})"
        raise ConfigError(found, "the recipe of the run", "restore it, or use another --out") from error
    wanted = dataclasses.asdict(recipe)
    for name in FREE:
        stored.pop(name), wanted.pop(name)
    if other := difference(stored, wanted):
        found = f"'{out}' holds a run of another recipe: {other}"
        raise ConfigError(found, "the recipe it was started with", "use another --out, or delete the folder")


def _check_processes(out: Path, recipe: Recipe, processes: int) -> None:
    """Check the number of processes of a stage that has begun.

    A step has a batch for every process, so a stage resumes with the same number. The next stage may have another.
    """
    begun = [out / f"{number}-{stage.name}" for number, stage in enumerate(recipe.stages)]
    begun = [folder for folder in begun if not (folder / "done.pt").exists()]
    for folder in begun[:1]:
        stored = {len(list(checkpoint.glob("rng_state*.pth"))) for checkpoint in folder.glob("checkpoint-*")} - {0}
        if stored and processes not in stored:
            found = f"{counted(processes, 'process', 'processes')} for '{folder}', which was begun with {max(stored)}"
            remedy = "start as many processes, or delete that folder"
            raise ConfigError(found, f"--nproc-per-node {max(stored)}", remedy)


def _starts(out: Path) -> list[dict[str, Any]]:
    path = out / "run.json"
    try:
        starts: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    except ValueError as error:
        raise ConfigError(f"'{path}' is damaged ({error})", "a list of starts", "delete the file") from error
    return starts


def difference(stored: Any, wanted: Any, path: str = "") -> str | None:
    """Describe the first field in which two trees below `path` differ; None if they are equal."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        pairs = [(key, stored.get(key), wanted.get(key)) for key in {**wanted, **stored}]
    elif isinstance(stored, list | tuple) and isinstance(wanted, list | tuple) and len(stored) == len(wanted):
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(stored, wanted, strict=True))]
    else:
        same = stored == wanted
        return None if same else f"its {path} is {stored!r}, not {wanted!r}"
    found = (difference(a, b, f"{path}.{key}".lstrip(".")) for key, a, b in pairs)
    return next((other for other in found if other), None)


def _made_with(processes: int) -> dict[str, str | int | None]:
    return {
        "longpanda": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "commit": commit(),
        "processes": processes,
    }
