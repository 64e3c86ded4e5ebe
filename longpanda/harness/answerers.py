"""LongPanda's own answerers, a model and the oracle that reads pixels; and frames as JPEG for other systems."""

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
"""Side of a picture in a report, in pixels."""


@dataclass(frozen=True)
class ModelAnswerer:
    """Answers with a LongPanda model.

    Args:
        panda: the model.
        questions: the questions, which locate the videos.
        sampling: which frames the model looks at; None for the model's own sampling.
        answer_tokens: limit on the length of an answer, in tokens.
    """

    panda: "LongPanda"
    questions: "Questions"
    sampling: "Sampling | None"
    answer_tokens: int

    def watch(self, video: str) -> "Ask":
        """Encode a video once, and return the function that answers questions about it."""
        path = self.questions.path_of(video)
        session = self.panda.watch(path, self.sampling, answer_tokens=self.answer_tokens)
        return lambda sample: session.ask(sample.question).reply


class OracleAnswerer:
    """Answers with the oracle, which reads pixels as often as the level of a generated suite requires.

    Args:
        questions: the suite.

    Raises:
        ConfigError: the folder holds no generated suite.
    """

    def __init__(self, questions: "Suite") -> None:
        from longpanda.longwatch.oracle import LOOKS_PER_DWELL
        from longpanda.longwatch.script import LEVELS
        from longpanda.longwatch.suite import SuitePlan

        dwell_seconds = LEVELS[SuitePlan.read(questions.source).level].dwell_seconds
        self.questions, self.step_seconds = questions, dwell_seconds / LOOKS_PER_DWELL

    def watch(self, video: str) -> "Ask":
        """Read a whole video once, and return the function that answers questions about it."""
        from longpanda.longwatch.oracle import read_film_sights

        watched = read_film_sights(self.questions.path_of(video), self.step_seconds)
        scene, looks = watched.scene(), tuple(moment for moment, _ in watched.sights)
        return lambda sample: _read_off(scene, looks, sample)


@dataclass(frozen=True)
class JpegFrames:
    """Reads frames of a video as JPEG images with their times, for a server.

    Args:
        questions: the questions, which locate the videos.
        sampling: which frames to read.
    """

    questions: "Questions"
    sampling: "Sampling"

    def __call__(self, video: str) -> list[tuple[float, bytes]]:
        """Return (seconds, JPEG bytes) of each frame."""
        from longpanda.video import iter_frames, probe

        path = self.questions.path_of(video)
        pictures = []
        for frame in iter_frames(path, self.sampling.seconds_for(probe(path).duration_seconds)):
            pictures.append((frame.pts_seconds, _jpeg(frame.pixels)))
        return pictures


def picture_at(path: Path, second: float) -> bytes:
    """Return the frame shown at a second as JPEG, 224 x 224 px. Raises VideoError if there is none."""
    from longpanda.video import decode

    return _jpeg(decode(path, [second], size_px=(PICTURE_PX, PICTURE_PX)).frames[0])


def _read_off(scene: "Scene", looks: tuple[float, ...], sample: Sample) -> Reply:
    """Return the oracle's answer, or its letter; the oracle parses the question without its options.

    If its answer matches none of the options, the reply is the answer in words: a wrong reply, not an empty one.
    """
    from longpanda.longwatch.choices import lettered
    from longpanda.longwatch.oracle import answer

    said = answer(scene, sample.stem or sample.question)
    return Reply(lettered(said, sample) or said, looks)


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    Image.fromarray(pixels).save(jpeg := io.BytesIO(), "JPEG", quality=90)
    return jpeg.getvalue()
