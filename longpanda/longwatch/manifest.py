"""The manifest that marks a suite's folder as complete: the hash of every file, against which they are held."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from longpanda.errors import ConfigError
from longpanda.longwatch.film import file_sha256

MANIFEST: Final = "manifest.json"
VIDEOS: Final = "videos"
VIDEO_SUFFIX: Final = ".mp4"
_AGAIN: Final = "run 'longpanda longwatch make', or 'insert', again"


def manifest_of(folder: Path) -> Path:
    """The file that marks a suite as complete. Raises ConfigError where it is not there."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ConfigError(f"no '{path}'", "a complete suite", "run 'longpanda longwatch make' first")
    return path


def read_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a complete suite, by their names from its folder.

    Raises:
        ConfigError: there is no manifest, or it is none.
    """
    path = manifest_of(folder)
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))["sha256"]
        if not isinstance(hashes, dict) or not all(isinstance(sha256, str) for sha256 in hashes.values()):
            raise TypeError("no hashes by name")
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"'{path}' is no manifest of a suite ({error})", "what make wrote", _AGAIN) from error
    return hashes


def require_film(path: Path) -> None:
    """Raises ConfigError where a film is missing."""
    if not path.is_file():
        raise ConfigError(f"'{path}' is missing", "every film of the suite", _AGAIN)


def require_made(path: Path, sha256: str | None, remedy: str = _AGAIN) -> None:
    """Raises ConfigError where a file of a suite is missing or not the one of the manifest."""
    if problem := difference(path, sha256):
        raise ConfigError(f"'{path}' is {problem}", "the file as it was made", remedy)


def films_of(hashes: Mapping[str, str]) -> list[str]:
    """The films among the files of a suite, by their names from its folder."""
    return [name for name in hashes if name.startswith(f"{VIDEOS}/") and name.endswith(VIDEO_SUFFIX)]


def checked_films(folder: Path, otherwise: str = "") -> Iterator[str]:
    """Hold every film of a suite against the manifest: answers are known for the films as they were made alone.

    Args:
        folder: of a complete suite.
        otherwise: what else a user can do where one has changed, beside making it again.

    Yields:
        the name of every film, once it is found to be as it was made.

    Raises:
        ConfigError: there is no manifest, or a film is missing or changed since it was made.
    """
    hashes = read_hashes(folder)
    for name in films_of(hashes):
        require_made(folder / name, hashes[name], _AGAIN + otherwise)
        yield name


def difference(path: Path, sha256: str | None) -> str:
    """What tells a file from the one that a suite was made with, "" where nothing does."""
    if not path.is_file():
        return "missing"
    return "" if file_sha256(path) == sha256 else "changed since it was made"
