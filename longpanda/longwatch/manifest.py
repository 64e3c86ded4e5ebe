"""The manifest of a suite: it marks the folder as complete and holds the hash of every file."""

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
    """Return the path of a suite's manifest. Raises ConfigError if it does not exist."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ConfigError(f"no '{path}'", "a complete suite", "run 'longpanda longwatch make' first")
    return path


def read_hashes(folder: Path) -> dict[str, str]:
    """Read the SHA-256 of the files of a complete suite, by path relative to its folder.

    Raises:
        ConfigError: the manifest is missing or invalid.
    """
    path = manifest_of(folder)
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))["sha256"]
        if not isinstance(hashes, dict) or not all(isinstance(sha256, str) for sha256 in hashes.values()):
            raise TypeError("no hashes by name")
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"'{path}' is no manifest ({error})", "the manifest that make wrote", _AGAIN) from error
    return hashes


def require_film(path: Path) -> None:
    """Raise ConfigError if a film is missing."""
    if not path.is_file():
        raise ConfigError(f"'{path}' is missing", "every film of the suite", _AGAIN)


def require_made(path: Path, sha256: str | None, remedy: str = _AGAIN) -> None:
    """Raise ConfigError if a file of a suite is missing or differs from the manifest."""
    if problem := difference(path, sha256):
        raise ConfigError(f"'{path}' is {problem}", "the file as it was made", remedy)


def films_of(hashes: Mapping[str, str]) -> list[str]:
    """Return the films among the files of a suite, by path relative to its folder."""
    return [name for name in hashes if name.startswith(f"{VIDEOS}/") and name.endswith(VIDEO_SUFFIX)]


def checked_films(folder: Path, otherwise: str = "") -> Iterator[str]:
    """Check every film of a suite against the manifest: the answers only apply to unchanged films.

    Args:
        folder: folder of a complete suite.
        otherwise: what a user can do about a changed film other than make it again, for the error.

    Yields:
        the name of every film once it has been checked.

    Raises:
        ConfigError: the manifest or a film is missing, or a film was changed since it was made.
    """
    hashes = read_hashes(folder)
    for name in films_of(hashes):
        require_made(folder / name, hashes[name], _AGAIN + otherwise)
        yield name


def difference(path: Path, sha256: str | None) -> str:
    """Return how a file differs from the one in the manifest: "missing", "changed since it was made" or ""."""
    if not path.is_file():
        return "missing"
    return "" if file_sha256(path) == sha256 else "changed since it was made"
