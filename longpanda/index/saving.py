"""A model's folder, written beside its name and moved there when it is whole."""

import os
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from longpanda.errors import ConfigError, first_line
from longpanda.video.whole import not_writable

WRITTEN = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.txt", "*.md", "*.py", ".gitattributes")
"""What may lie in a model's folder."""


def save_model(model: Any, processor: Any, folder: Path, beside: Iterable[Path] = ()) -> None:
    """Write model, processor and files that belong to them; what lay in `folder` before gives way, and goes last.

    Raises:
        ConfigError: it cannot be written. What was there before stays.
    """
    temporary, old = (folder.with_name(f"{folder.name}.{end}") for end in ("tmp", "old"))
    shutil.rmtree(temporary, ignore_errors=True)
    from safetensors import SafetensorError

    try:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        for path in beside:
            shutil.copy(path, temporary)
    except (OSError, SafetensorError, RuntimeError) as error:  # safetensors and tokenizers have errors of their own
        shutil.rmtree(temporary, ignore_errors=True)
        raise not_writable(folder, OSError(0, first_line(error))) from error
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(temporary, folder)
    shutil.rmtree(old, ignore_errors=True)


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
