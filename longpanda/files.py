"""Files that appear only when they are complete, and folders that only one process may write to at a time."""

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
    """Give the name of a temporary file that replaces `target` when the block succeeds, and is deleted otherwise.

    Raises:
        ConfigError: `target` is a directory or a device, or its folder does not exist or cannot be written.
    """
    name = _temporary_beside(target)
    try:
        yield name
        try:
            _flush(name)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except OSError as error:
            raise not_writable(target, error) from error
    except BaseException:
        os.unlink(name)
        raise


def write_atomic(target: Path, content: str | bytes) -> None:
    """Write a file completely or not at all. Text is written as UTF-8.

    Raises:
        ConfigError: see `atomic_path`; or the disk is full.
    """
    with atomic_path(target) as name:
        try:
            Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise not_writable(target, error) from error


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Lock a folder, through its file `lock`, until the block or this process ends, even by a signal.

    This is a record lock. Unlike one of flock, it is not inherited, so workers that outlive a killed process by some
    seconds do not hold it. It does not exclude other threads of the process, and closing the file anywhere in the
    process releases it, so other threads are excluded before they open the file.

    Raises:
        ConfigError: another process, or another thread of this one, holds the lock, or it cannot be written.
    """
    path = folder / "lock"
    with _held_by_thread(os.path.realpath(path), folder):
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
"""Paths of the locks that this process holds."""
_HELD_LOCK = threading.Lock()


@contextmanager
def _held_by_thread(path: str, folder: Path) -> Iterator[None]:
    """Exclude other threads of this process."""
    with _HELD_LOCK:
        if path in _HELD:
            raise _busy("thread", folder)
        _HELD.add(path)
    try:
        yield
    finally:
        _HELD.discard(path)


def _busy(who: str, folder: Path) -> ConfigError:
    found = f"another {who} is writing to '{folder}'"
    return ConfigError(found, "one at a time", "wait until it ends, or use another folder")


def check_writable(target: Path) -> None:
    """Check that a file can be written. Call it before long work.

    Raises:
        ConfigError: see `atomic_path`.
    """
    os.unlink(_temporary_beside(target))


def not_writable(target: Path, error: OSError) -> ConfigError:
    """Return the error for a file that cannot be written."""
    found = f"'{target}' cannot be written ({error.strerror})"
    return ConfigError(found, "a writable folder with free space", "choose another name or make room")


def _temporary_beside(target: Path) -> str:
    """Make an empty temporary file in the folder of `target`."""
    try:
        if target.is_dir():
            raise ConfigError(f"'{target}' is a directory", "the name of a file", "add a file name to it")
        if target.exists() and not target.is_file():  # a new file would replace the device or pipe
            raise ConfigError(f"'{target}' is a device or a pipe", "the name of a file", "choose another name")
        if not target.parent.is_dir():
            raise ConfigError(f"no directory '{target.parent}'", "an existing directory", "create it first")
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise not_writable(target, error) from error
    os.close(handle)
    return name


def _flush(name: str) -> None:
    """Flush the content to disk. Otherwise a power cut may leave the name without the content."""
    with open(name, "rb") as file:
        os.fsync(file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
