"""Samples to scores, one video at a time."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Protocol

from longpanda.errors import ConfigError, LongPandaError
from longpanda.types import Reply, Sample, Score

Ask = Callable[[Sample], Reply]


class Answerer(Protocol):
    """Whatever can watch a video and then answer questions about it."""

    def watch(self, video: str) -> Ask:
        """Read a video once; the result answers samples, of which it may look at the question and metadata only."""


class Marked(Protocol):
    """What an answer earned."""

    @property
    def value(self) -> float:
        """1.0 is right, 0.0 is wrong."""

    @property
    def partial(self) -> float:
        """0 to 1, how near it came."""


Mark = Callable[[str, Sample], Marked]


def run(answerer: Answerer, samples: Iterable[Sample], mark: Mark) -> Iterator[Score]:
    """Ask every sample and score it. Samples of one video should stand together: each run of them is watched once.

    A video that cannot be watched and a question that cannot be answered score 0 and carry the error: nothing is
    skipped.
    """
    for video, group in groupby(samples, key=lambda sample: sample.video):
        try:
            ask = answerer.watch(video)
        except LongPandaError as error:
            yield from (Score(0.0, Reply(""), sample, str(error)) for sample in group)
            continue
        yield from (_one(ask, sample, mark) for sample in group)


def run_many(answerers: list[Answerer], samples: Iterable[Sample], mark: Mark) -> Iterator[Score]:
    """As `run`, with one thread for each answerer; scores come in the order in which they are ready.

    Raises:
        ConfigError: no answerer.
    """
    if not answerers:
        raise ConfigError("no answerer", "at least one", "give one")
    groups: queue.SimpleQueue[list[Sample]] = queue.SimpleQueue()
    for _, group in groupby(samples, key=lambda sample: sample.video):
        groups.put(list(group))
    ready: queue.SimpleQueue[Score | BaseException | None] = queue.SimpleQueue()
    for answerer in answerers:
        threading.Thread(target=_work, args=(answerer, groups, ready, mark), daemon=True).start()
    working = len(answerers)
    while working:
        match ready.get():
            case None:
                working -= 1
            case BaseException() as error:
                raise error
            case score:
                yield score


def _work(
    answerer: Answerer,
    groups: "queue.SimpleQueue[list[Sample]]",
    ready: "queue.SimpleQueue[Score | BaseException | None]",
    mark: Mark,
) -> None:
    """Take groups until there are none; an unexpected exception is handed to whoever waits."""
    try:
        while True:
            for score in run(answerer, groups.get_nowait(), mark):
                ready.put(score)
    except queue.Empty:
        ready.put(None)
    except BaseException as error:
        ready.put(error)


def _one(ask: Ask, sample: Sample, mark: Mark) -> Score:
    started = time.perf_counter()
    try:
        reply = ask(sample)
    except LongPandaError as error:
        return Score(0.0, Reply("", seconds=time.perf_counter() - started), sample, str(error))
    if reply.seconds is None:
        reply = replace(reply, seconds=time.perf_counter() - started)
    marked = mark(reply.text, sample)
    return Score(marked.value, reply, sample, partial=marked.partial)
