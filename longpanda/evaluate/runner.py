"""Ask samples and score the answers, one video at a time."""

import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final, Protocol

from longpanda.errors import ConfigError, ErrorKind, LongPandaError
from longpanda.evaluate.unanswered import kind_of, why_no_answer
from longpanda.thinking import without_thinking
from longpanda.types import Reply, Sample, Score

Ask = Callable[[Sample], Reply]
"""Answers one question about the video that was watched."""
_LOOK_SECONDS: Final = 0.1
"""How often a run checks whether it should stop."""


class Answerer(Protocol):
    """Anything that can watch a video and then answer questions about it."""

    def watch(self, video: str) -> Ask:
        """Read a video once. The returned function answers samples from their question, choices and facts alone."""


class Marked(Protocol):
    """The marks of an answer."""

    @property
    def value(self) -> float:
        """1.0 for a right answer, 0.0 for a wrong one."""

    @property
    def partial(self) -> float:
        """Partial credit, 0 to 1."""


MarkFunction = Callable[[str, Sample], Marked]
"""Marks the text of an answer to a sample."""


def require_timeout(seconds: float) -> None:
    """Raise ConfigError if a timeout is not above 0, or longer than a thread can wait."""
    if not (math.isfinite(seconds) and 0 < seconds <= threading.TIMEOUT_MAX):
        raise ConfigError(f"a timeout of {seconds:g} s", "a finite time above 0", "give the seconds for one answer")


def run(answerer: Answerer, samples: Iterable[Sample], mark: MarkFunction) -> Iterator[Score]:
    """Ask every sample and score the answer. Consecutive samples of one video share one `watch`.

    A video that cannot be watched, a question that cannot be answered and a reply that is not an answer (empty, cut
    off, withheld) score 0 with the error and its kind: nothing is skipped. Thinking is removed before scoring.
    """
    for video, group in groupby(samples, key=lambda sample: sample.video):
        try:
            ask = answerer.watch(video)
        except LongPandaError as error:
            yield from (_failed(error, Reply(""), sample) for sample in group)
            continue
        yield from (_one(ask, sample, mark) for sample in group)


def run_many(
    answerers: list[Answerer], samples: Iterable[Sample], mark: MarkFunction, stop: threading.Event | None = None
) -> Generator[Score, None, None]:
    """Do the same as `run` with one thread per answerer. Scores are yielded as soon as they are ready.

    If an answerer raises an unexpected exception, the others stop after their current question, and all finished scores
    are yielded before the exception is raised. They also stop, without an exception, after an error of kind DENIED.

    Args:
        answerers: the answerers, which work in parallel.
        samples: as in `run`.
        mark: as in `run`.
        stop: when it is set, for example by a signal handler, the run ends with the finished scores, without waiting
            for questions that are being answered.

    Raises:
        ConfigError: there is no answerer.
    """
    if not answerers:
        raise ConfigError("no answerer", "at least one", "pass one")
    groups: queue.SimpleQueue[list[Sample]] = queue.SimpleQueue()
    for _, group in groupby(samples, key=lambda sample: sample.video):
        groups.put(list(group))
    ready: _Ready = queue.SimpleQueue()
    stop, halt = stop or threading.Event(), threading.Event()
    for answerer in answerers:
        threading.Thread(target=_work, args=(answerer, groups, ready, mark, halt), daemon=True).start()
    try:
        yield from _collected(ready, len(answerers), stop, halt)
    finally:
        halt.set()


_Ready = queue.SimpleQueue[Score | BaseException | None]
"""Scores, and at the end of every thread its exception or None."""


def _collected(ready: _Ready, working: int, stop: threading.Event, halt: threading.Event) -> Iterator[Score]:
    """Yield the scores of the threads until all have ended or the run is stopped."""
    failure: BaseException | None = None
    while working:
        try:
            found = ready.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if stop.is_set():
                break
            continue
        if stop.is_set():
            halt.set()
        if isinstance(found, Score):
            yield found
            continue
        working -= 1
        if found is not None:
            failure = failure or found
            halt.set()
    if failure is not None:
        raise failure


def _work(
    answerer: Answerer,
    groups: "queue.SimpleQueue[list[Sample]]",
    ready: _Ready,
    mark: MarkFunction,
    halt: threading.Event,
) -> None:
    """Work on groups until there are none or the run halts; pass on an unexpected exception.

    After an error of kind DENIED, such as a wrong key, the run halts for all: no other question would be answered.
    """
    try:
        while not halt.is_set() and (group := _next(groups)):
            for score in run(answerer, group, mark):
                if score.error_kind == ErrorKind.DENIED:
                    halt.set()
                ready.put(score)
                if halt.is_set():
                    break
        ready.put(None)
    except BaseException as error:
        ready.put(error)


def _next(groups: "queue.SimpleQueue[list[Sample]]") -> list[Sample]:
    """Return the next group, or [] if there is none."""
    try:
        return groups.get_nowait()
    except queue.Empty:
        return []


def _one(ask: Ask, sample: Sample, mark: MarkFunction) -> Score:
    started = time.perf_counter()
    try:
        reply = ask(sample)
    except LongPandaError as error:
        return _failed(error, Reply("", seconds=time.perf_counter() - started), sample)
    if reply.seconds is None:
        reply = replace(reply, seconds=time.perf_counter() - started)
    text, thinking = without_thinking(reply.text)
    reply = replace(reply, text=text, thinking="\n".join(filter(None, (reply.thinking, thinking))))
    if problem := why_no_answer(reply):
        return _failed(problem, reply, sample)
    marked = mark(reply.text, sample)
    return Score(marked.value, reply, sample, partial=marked.partial)


def _failed(error: LongPandaError, reply: Reply, sample: Sample) -> Score:
    return Score(0.0, reply, sample, str(error), error_kind=kind_of(error))
