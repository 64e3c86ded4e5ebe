"""Files that appear under their name only when they are complete, and folders that one process fills at a time."""

import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longpanda.errors import ConfigError


@contextmanager
def atomic_path(target: Path) -> Iterator[str]:
    """Name of a file beside `target` that takes its place when the block ends well, and vanishes when it does not.

    Raises:
        ConfigError: `target` is a directory, or stands in a folder that does not exist or cannot be written.
    """
    name = _neighbour(target)
    try:
        yield name
        try:
            _settle(name)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except OSError as error:
            raise not_writable(target, error) from error
    except BaseException:
        os.unlink(name)
        raise


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all; text as UTF-8.

    Raises:
        ConfigError: as `atomic_path`, or the disk is full.
    """
    with atomic_path(target) as name:
        try:
            Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise not_writable(target, error) from error


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold a folder, through its file `lock`, until the block or this process ends, by whatever signal.

    A record lock: unlike flock's, it is not inherited, so that workers that outlive a killed process by some seconds
    do not hold it. Within a process it holds nobody off, and whoever closes the file gives it up: so threads are held
    off before they open it.

    Raises:
        ConfigError: a living process, or another thread of this one, holds it, or it cannot be written.
    """
    path = folder / "lock"
    with _held_here(os.path.realpath(path), folder):
        try:
            file = path.open("a")
        except OSError as error:
            raise not_writable(path, error) from error
        with file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                raise _busy("process", folder) from error
            yield


_HELD: set[str] = set()
"""Locks that this process holds."""
_CHOOSING = threading.Lock()


@contextmanager
def _held_here(path: str, folder: Path) -> Iterator[None]:
    """Keep other threads of this process off."""
    with _CHOOSING:
        if path in _HELD:
            raise _busy("thread", folder)
        _HELD.add(path)
    try:
        yield
    finally:
        _HELD.discard(path)


def _busy(who: str, folder: Path) -> ConfigError:
    found = f"another {who} is at work in '{folder}'"
    return ConfigError(found, "one at a time", "wait until it ends, or use another folder")


def check_writable(target: Path) -> None:
    """Refuse a name that no file can be written under, before the work whose result goes there.

    Raises:
        ConfigError: as `atomic_path`.
    """
    os.unlink(_neighbour(target))


def not_writable(target: Path, error: OSError) -> ConfigError:
    """The error for a file that the system does not let us write."""
    found = f"'{target}' cannot be written ({error.strerror})"
    return ConfigError(found, "a folder with free space that you may write to", "choose another name or make room")


def _neighbour(target: Path) -> str:
    """An empty new file in the folder of `target`."""
    try:
        if target.is_dir():
            raise ConfigError(f"'{target}' is a directory", "the name of a file", "add a file name to it")
        if target.exists() and not target.is_file():  # a device or a pipe, which a whole file would take the place of
            raise ConfigError(f"'{target}' is a device or a pipe", "the name of a file", "choose another name")
        if not target.parent.is_dir():
            raise ConfigError(f"no directory '{target.parent}'", "an existing directory", "create it first")
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise not_writable(target, error) from error
    os.close(handle)
    return name


def _settle(name: str) -> None:
    """Have the content on the disk: after a power cut, a name may otherwise be there before what it names."""
    with open(name, "rb") as file:
        os.fsync(file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
