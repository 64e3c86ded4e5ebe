"""Write a model's folder atomically: under a temporary name first, then moved into place."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from longpanda.errors import ConfigError, first_line
from longpanda.files import not_writable

WRITTEN = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.txt", "*.md", "*.py", ".gitattributes")
"""Patterns of the files that a model's folder may hold."""
WORK = ".saving-"
"""Prefix of the name of a folder in which a model is being written."""


def save_model(model: Any, processor: Any, folder: Path, beside: Iterable[Path] = ()) -> None:
    """Write a model, its processor and the files `beside`, and then replace what `folder` held before.

    The new files are first written to a hidden folder `WORK` in the same place, which only a kill leaves behind.

    Raises:
        ConfigError: the folder cannot be written; its old contents stay.
    """
    from safetensors import SafetensorError

    try:
        work = Path(tempfile.mkdtemp(prefix=f"{WORK}{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        model.save_pretrained(work / "new")
        processor.save_pretrained(work / "new")
        for path in beside:
            shutil.copy(path, work / "new")
        _swap(work, folder)
    except (OSError, SafetensorError, RuntimeError) as error:  # safetensors and tokenizers raise these too
        raise not_writable(folder, OSError(0, first_line(error))) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _swap(work: Path, folder: Path) -> None:
    """Move the new folder into place; if that fails, move the old one back."""
    old = work / "old"
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(work / "new", folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise


def check_target(folder: Path) -> None:
    """Raise ConfigError if a folder is a file, holds anything but a model, or its parent does not exist."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"'{folder}' is a file", "a folder, or a new name", "choose another name")
    if not folder.absolute().parent.is_dir():
        raise ConfigError(f"no directory '{folder.parent}'", "an existing directory", "create it first")
    if not folder.exists():
        return
    inside = sorted(folder.iterdir())
    other = [path for path in inside if path.is_dir() or not any(fnmatch(path.name, one) for one in WRITTEN)]
    if inside and (other or not (folder / "config.json").is_file()):
        found = f"folder '{folder}', which is no model: it holds '{(other or inside)[0].name}'"
        raise ConfigError(found, "a new name, an empty folder, or a model to replace", "choose another name")
