"""Film a suite into its folder with several processes, and verify a suite against its plan."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path

from longpanda.errors import ConfigError
from longpanda.longwatch.film import Film, file_sha256, film, raw_sha256, read_film
from longpanda.longwatch.folder import QUESTIONS, claimed, complete, open_folder, questions_jsonl
from longpanda.longwatch.manifest import MANIFEST, VIDEOS, difference, read_hashes
from longpanda.longwatch.suite import Entry, SuitePlan


def make(plan: SuitePlan, folder: Path, workers: int = 1) -> Iterator[Entry]:
    """Film the missing videos, then write the questions and the manifest, which marks the suite as complete.

    Args:
        plan: the suite.
        folder: the suite's folder, for suite.json, videos/, questions.jsonl and manifest.json.
        workers: number of processes.

    Returns:
        an iterator over the videos of the plan, each as soon as it is complete. Filming starts with the first `next`;
        the folder is checked at once.

    Raises:
        ConfigError: the folder holds another suite, is being filled by another process, or cannot be written; or a
            worker was killed.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers", "at least 1", "use more workers")
    open_folder(plan, folder)
    return _made(plan, folder, workers)


def _made(plan: SuitePlan, folder: Path, workers: int) -> Iterator[Entry]:
    with claimed(plan, folder):
        missing = [entry for entry in plan.entries if not _is_there(plan, entry, folder)]
        if missing:
            (folder / MANIFEST).unlink(missing_ok=True)
        yield from (entry for entry in plan.entries if entry not in missing)
        yield from _filmed(plan, missing, folder, workers)
        complete(plan, folder)


def verify(folder: Path, frames: bool = False) -> Iterator[tuple[str, str]]:
    """Compare every file of a suite with the manifest, and with what the plan gives now.

    Args:
        folder: folder of the suite.
        frames: also render every video again and compare the raw frames; takes about as long as making the suite.

    Yields:
        the name of every file, with what is wrong with it or "".

    Raises:
        ConfigError: the folder holds no complete suite.
    """
    plan = SuitePlan.read(folder)
    hashes = read_hashes(folder)
    questions = hashlib.sha256(questions_jsonl(plan).encode()).hexdigest()
    other = "" if hashes.get(QUESTIONS) == questions else "different from the plan"
    yield QUESTIONS, difference(folder / QUESTIONS, hashes.get(QUESTIONS)) or other
    for entry in plan.entries:
        record, video = (f"{VIDEOS}/{entry.name}{end}" for end in (".json", ".mp4"))
        yield record, difference(folder / record, hashes.get(record)) or _of_plan(plan, entry, folder, frames)
        yield video, difference(folder / video, hashes.get(video)) or _of_record(entry, folder)


def _filmed(plan: SuitePlan, missing: list[Entry], folder: Path, workers: int) -> Iterator[Entry]:
    others = {*multiprocessing.active_children()}
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        futures = {pool.submit(_film, plan, entry, folder): entry for entry in reversed(missing)}  # the longest first
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        found = "a process that was filming was killed"
        raise ConfigError(found, "memory for all of them", "run make again, with fewer --workers") from error
    except BaseException:  # an interrupted run must not wait for a film that takes an hour
        for worker in {*multiprocessing.active_children()} - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker at Ctrl-C and when its parent process has ended, even in the middle of a film.

    The next run deletes the unfinished film. Without this, the workers of a killed process would wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)


def _target(entry: Entry, folder: Path) -> Path:
    return folder / VIDEOS / f"{entry.name}.mp4"


def _film(plan: SuitePlan, entry: Entry, folder: Path) -> None:
    film(plan.scene(entry), _target(entry, folder), plan.size_px, plan.fps, plan.crf)


def _is_there(plan: SuitePlan, entry: Entry, folder: Path) -> bool:
    target = _target(entry, folder)
    try:
        made = read_film(target)
        return target.is_file() and _matches(plan, entry, made) and file_sha256(target) == made.file_sha256
    except ConfigError:
        return False


def _matches(plan: SuitePlan, entry: Entry, made: Film) -> bool:
    wanted = (plan.scene(entry), plan.size_px, plan.fps, plan.crf)
    return (made.scene, made.size_px, made.fps, made.crf) == wanted


def _of_plan(plan: SuitePlan, entry: Entry, folder: Path, frames: bool) -> str:
    made = read_film(_target(entry, folder))
    if not _matches(plan, entry, made):
        return "different from the plan"
    same = not frames or raw_sha256(made.scene, made.size_px, made.fps) == made.frames_sha256
    return "" if same else "its raw frames differ from those rendered now"


def _of_record(entry: Entry, folder: Path) -> str:
    target = _target(entry, folder)
    try:
        return "" if file_sha256(target) == read_film(target).file_sha256 else "different from its record"
    except ConfigError:
        return "without a record"
