"""Samples to scores, one video at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Protocol

from longpanda.errors import LongPandaError
from longpanda.types import Sample, Score


class Answerer(Protocol):
    """Whatever can watch a video and then answer questions about it."""

    def watch(self, video: str) -> Callable[[str], str]:
        """Read a video once; the result maps a question to an answer."""


def run(answerer: Answerer, samples: Iterable[Sample], score: Callable[[str, Sample], float]) -> Iterator[Score]:
    """Ask every sample and score it. Samples of one video should stand together: each run of them is watched once.

    A video that cannot be watched and a question that cannot be answered score 0 and carry the error: nothing is
    skipped.
    """
    for video, group in groupby(samples, key=lambda sample: sample.video):
        try:
            ask = answerer.watch(video)
        except LongPandaError as error:
            yield from (Score(0.0, "", sample, str(error)) for sample in group)
            continue
        yield from (_one(ask, sample, score) for sample in group)


def _one(ask: Callable[[str], str], sample: Sample, score: Callable[[str, Sample], float]) -> Score:
    try:
        answer = ask(sample.question)
    except LongPandaError as error:
        return Score(0.0, "", sample, str(error))
    return Score(score(answer, sample), answer, sample)
