"""Answerers of this project: one of our models, and the oracle that reads pixels; and frames as JPEG for all others."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.types import Reply, Sample

if TYPE_CHECKING:
    from longpanda.evaluate import Ask
    from longpanda.harness.questions import Questions, Suite
    from longpanda.inference import LongPanda
    from longpanda.longwatch import Scene
    from longpanda.video import Sampling

PICTURE_PX = 224
"""Side of a picture on a page of results."""


@dataclass(frozen=True)
class ModelAnswerer:
    """One of our models.

    Args:
        panda: the model.
        questions: where the videos are.
        sampling: which frames it looks at; None for the model's own sampling.
        answer_tokens: the longest answer.
    """

    panda: "LongPanda"
    questions: "Questions"
    sampling: "Sampling | None"
    answer_tokens: int

    def watch(self, video: str) -> "Ask":
        """Encode the video once."""
        path = self.questions.path_of(video)
        session = self.panda.watch(path, self.sampling, answer_tokens=self.answer_tokens)
        return lambda sample: session.ask(sample.question).reply


class OracleAnswerer:
    """The oracle from pixels, at the pace of a generated suite's level.

    Raises:
        ConfigError: the questions are not those of a generated suite.
    """

    def __init__(self, questions: "Suite") -> None:
        from longpanda.longwatch.oracle import LOOKS_PER_DWELL
        from longpanda.longwatch.script import LEVELS
        from longpanda.longwatch.suite import SuitePlan

        dwell_seconds = LEVELS[SuitePlan.read(questions.source).level].dwell_seconds
        self.questions, self.step_seconds = questions, dwell_seconds / LOOKS_PER_DWELL

    def watch(self, video: str) -> "Ask":
        """Read the whole film once."""
        from longpanda.longwatch.oracle import read_film_sights

        watched = read_film_sights(self.questions.path_of(video), self.step_seconds)
        scene, looks = watched.scene(), tuple(moment for moment, _ in watched.sights)
        return lambda sample: _read_off(scene, looks, sample)


@dataclass(frozen=True)
class Pictures:
    """Frames of a video as JPEG with their times, for a server.

    Args:
        questions: where the videos are.
        sampling: which frames.
    """

    questions: "Questions"
    sampling: "Sampling"

    def __call__(self, video: str) -> list[tuple[float, bytes]]:
        """(seconds, JPEG) of each frame."""
        from longpanda.video import iter_frames, probe

        path = self.questions.path_of(video)
        pictures = []
        for frame in iter_frames(path, self.sampling.seconds_for(probe(path).duration_seconds)):
            pictures.append((frame.pts_seconds, _jpeg(frame.pixels)))
        return pictures


def picture_at(path: Path, second: float) -> bytes:
    """The frame that is on screen then as JPEG, 224 px wide. Raises VideoError where there is none."""
    from longpanda.video import decode

    return _jpeg(decode(path, [second], size_px=(PICTURE_PX, PICTURE_PX)).frames[0])


def _read_off(scene: "Scene", looks: tuple[float, ...], sample: Sample) -> Reply:
    """The answer, or its letter; the oracle knows the words of questions alone, and not of options.

    Where none of the options is what it has read, it says that: it was wrong, and not silent.
    """
    from longpanda.longwatch.choices import lettered
    from longpanda.longwatch.oracle import answer

    said = answer(scene, sample.stem or sample.question)
    return Reply(lettered(said, sample) or said, looks)


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    Image.fromarray(pixels).save(jpeg := io.BytesIO(), "JPEG", quality=90)
    return jpeg.getvalue()
