"""Where a mixture's files are, as a recipe or a file of its own says it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from longpanda.data.mixture import Places
from longpanda.errors import ConfigError, nearest

KEYS: Final = ("annotations", "roots", "substitute", "missing", "licences")


def read_places(path: Path) -> Places:
    """Read a YAML file with any of `KEYS`; its `annotations` may be a folder relative to that file.

    Raises:
        ConfigError: no such file, no YAML, an unknown key, or a value of another kind.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"no file '{path}' ({error.strerror})", "a YAML file", "name one that is there") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        found = f"'{path}' is not YAML ({' '.join(str(error).split())})"
        raise ConfigError(found, ", ".join(f"{key}:" for key in KEYS), "fix it at that place") from error
    if not isinstance(values, dict):
        raise ConfigError(f"'{path}' without keys", ", ".join(f"{key}:" for key in KEYS), "write one of them")
    return places_of(values, path)


def places_of(values: Mapping[str, Any], path: Path) -> Places:
    """Where a mixture's files are.

    Args:
        values: with any of `KEYS`.
        path: the file that they stand in.

    Raises:
        ConfigError: an unknown key, or a value of another kind.
    """
    for key, value in values.items():
        if key not in KEYS:
            raise ConfigError(f"'{path}': unknown key '{key}'", ", ".join(KEYS), nearest(str(key), KEYS))
        kind = str if key in ("annotations", "missing") else dict
        if not isinstance(value, kind):
            expected = "text" if kind is str else "names with a value each"
            raise ConfigError(f"'{path}': {key} {value!r}", expected, f"correct {key}")
    folder = values.get("annotations")
    return Places(
        annotations=None if folder is None else path.parent / folder,
        roots=values.get("roots", {}),
        substitute=values.get("substitute", {}),
        missing=values.get("missing", "fail"),
        licences=values.get("licences", {}),
    )
