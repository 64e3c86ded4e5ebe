"""Looking at many media files at once, in processes that may crash or hang without taking the others along."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from longpanda.data.media import MediaFile, identity_of, probe_media
from longpanda.data.media_facts import MediaFacts, MediaFault
from longpanda.errors import ConfigError

if TYPE_CHECKING:
    from pebble import ProcessPool

FILES_PER_TASK: Final = 16
"""Sent to a process at once. Where one of them hangs or crashes, each of them is looked at alone."""
TASKS_AHEAD: Final = 3
"""Of each process: handed to the pool before it has answered."""
Probe = Callable[[MediaFile], MediaFacts]


def check_pebble() -> None:
    """Check that hanging decoders can be stopped. Raises ConfigError where pebble is not installed."""
    try:
        import pebble  # noqa: F401
    except ImportError as error:
        remedy = "run: pip install 'longpanda[data]'"
        raise ConfigError("pebble is not installed", "the extra 'data', to read annotated media", remedy) from error


def probe_all(
    files: Iterable[MediaFile], processes: int, limit_seconds: float, probe: Probe = probe_media
) -> Iterator[MediaFacts]:
    """Look at files in several processes.

    Args:
        files: what to look at; they are taken as they are needed.
        processes: how many look at the same time.
        limit_seconds: for one file; a process that takes longer is ended, and the file has the fault `TIMEOUT`. A file
            at which a process ends by itself has the fault `CRASHED`.
        probe: looks at one file; a function that can be pickled.

    Yields:
        the facts of every file, in the order in which they are known.

    Raises:
        ConfigError: pebble is not installed.
    """
    check_pebble()
    from pebble import ProcessPool

    pool = ProcessPool(processes, context=get_context("spawn"))
    try:
        yield from _probe_in(pool, iter(files), processes, limit_seconds, probe)
    finally:
        pool.stop()
        pool.join()


def _probe_in(
    pool: "ProcessPool", files: Iterator[MediaFile], processes: int, limit_seconds: float, probe: Probe
) -> Iterator[MediaFacts]:
    running: dict[Future[list[MediaFacts]], list[MediaFile]] = {}
    alone: list[MediaFile] = []
    while True:
        while len(running) < TASKS_AHEAD * processes:
            batch = [alone.pop()] if alone else list(islice(files, FILES_PER_TASK))
            if not batch:
                break
            task = pool.schedule(_probe_batch, (batch, probe), timeout=limit_seconds)
            running[task] = batch
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for task in done:
            batch = running.pop(task)
            fault = _fault_of(task)
            if fault is MediaFault.NONE:
                yield from task.result()
            elif len(batch) == 1:
                yield _faulty(batch[0], fault, limit_seconds)
            else:
                alone += batch


def _fault_of(task: Any) -> MediaFault:
    """Why a task has no result. Raises what is no fault of a file."""
    from pebble import ProcessExpired

    error = task.exception()
    if error is None:
        return MediaFault.NONE
    if isinstance(error, TimeoutError):
        return MediaFault.TIMEOUT
    if isinstance(error, ProcessExpired | MemoryError):
        return MediaFault.CRASHED
    raise error


def _probe_batch(files: list[MediaFile], probe: Probe) -> list[MediaFacts]:
    return [probe(file) for file in files]


def _faulty(file: MediaFile, fault: MediaFault, limit_seconds: float) -> MediaFacts:
    found = f"no answer in {limit_seconds:g} s" if fault is MediaFault.TIMEOUT else "its process ended"
    return replace(identity_of(file), fault=fault, message=f"'{file.path}': {fault} ({found})")
