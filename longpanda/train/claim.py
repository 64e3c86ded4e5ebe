"""A folder belongs to one run: its recipe, and what it ran with, are written before the first step."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import torch
import transformers

from longpanda import __version__
from longpanda.errors import ConfigError
from longpanda.train.recipe import Recipe, recipe_of

FREE = {"workers", "threads", "save_steps", "log_steps"}
"""What may change when a run goes on: it says how to run, and nothing about the result."""


def claim(out: Path, recipe: Recipe) -> None:
    """Make `out` the folder of this recipe's run: recipe.json, and one entry in run.json for every start.

    Raises:
        ConfigError: the folder holds a run of another recipe, or cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_same(out, recipe)
        _write(out / "recipe.json", dataclasses.asdict(recipe))
        starts = json.loads((out / "run.json").read_text()) if (out / "run.json").exists() else []
        _write(out / "run.json", [*starts, _made_with()])
    except OSError as error:
        found = f"'{out}' cannot hold a run ({error.strerror})"
        raise ConfigError(found, "a folder that can be written", "use another --out") from error


def _check_same(out: Path, recipe: Recipe) -> None:
    path = out / "recipe.json"
    if not path.exists():
        return
    stored = dataclasses.asdict(recipe_of(json.loads(path.read_text())))
    wanted = dataclasses.asdict(recipe)
    for name in FREE:
        stored.pop(name), wanted.pop(name)
    if difference := _difference(stored, wanted, ""):
        found = f"'{out}' holds a run of another recipe: {difference}"
        raise ConfigError(found, "the recipe it was started with", "use another --out, or delete it")


def _difference(stored: Any, wanted: Any, path: str) -> str | None:
    """The first field in which two trees differ, and both values."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        pairs = [(key, stored.get(key), wanted.get(key)) for key in {**wanted, **stored}]
    elif isinstance(stored, list | tuple) and isinstance(wanted, list | tuple) and len(stored) == len(wanted):
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(stored, wanted, strict=True))]
    else:
        same = stored == wanted
        return None if same else f"its {path} is {stored!r}, not {wanted!r}"
    found = (_difference(a, b, f"{path}.{key}".lstrip(".")) for key, a, b in pairs)
    return next((difference for difference in found if difference), None)


def _made_with() -> dict[str, str | None]:
    return {
        "longpanda": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The commit of this source tree, with "-dirty" where it was changed; None where it is installed without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()


def _write(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=2))
    os.replace(temporary, path)
