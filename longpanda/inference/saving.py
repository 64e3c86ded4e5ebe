"""A model's folder, written beside its name and moved there when it is whole."""

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
"""What may lie in a model's folder."""
WORK = ".saving-"
"""How the name begins of a folder in which a model is being written."""


def save_model(model: Any, processor: Any, folder: Path, beside: Iterable[Path] = ()) -> None:
    """Write model, processor and files that belong to them; what lay in `folder` before gives way, and goes last.

    All of it is written to a hidden folder beside, `WORK`, which is gone at the end unless the process is killed.

    Raises:
        ConfigError: it cannot be written. What was there before stays.
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
    except (OSError, SafetensorError, RuntimeError) as error:  # safetensors and tokenizers have errors of their own
        raise not_writable(folder, OSError(0, first_line(error))) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _swap(work: Path, folder: Path) -> None:
    """Move the new one to its place; where that fails, the old one back."""
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
    """Refuse a name under which no model may be written.

    Raises:
        ConfigError: it is a file, has no folder above it, or is a folder that holds anything but a model.
    """
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
