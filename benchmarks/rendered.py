"""Ask a model about generated scenes without files: frames are rendered when they are needed."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from longpanda.evaluate import Ask
from longpanda.index.file_encoder import Block, FileEncoder, joined
from longpanda.inference import LongPanda
from longpanda.inference.planning import plan_index
from longpanda.inference.prefix import language_fingerprint
from longpanda.inference.session import Session
from longpanda.inference.watched import Watched
from longpanda.longwatch import FAMILIES, Scene, render
from longpanda.longwatch.examples import paced_gallery
from longpanda.types import Sample, Seconds, VideoClip

AS_LONG_AS_THE_CONTEXT = sys.maxsize
"""Token budget: as many frames as the context has room for, more than a model would use by default."""


class Rendered:
    """A model that watches scenes, sampled at even steps.

    Args:
        panda: the model.
        films: the scenes with their numbers of frames.
    """

    def __init__(self, panda: LongPanda, films: Iterable[tuple[Scene, int]]) -> None:
        self.panda = panda
        self.films = {scene.name: (scene, frames) for scene, frames in films}

    def watch(self, video: str) -> Ask:
        """Render and encode a scene. Replies do not list the frames, which are too many."""
        scene, frames = self.films[video]
        session = watch(self.panda, scene, middles(frames, scene.duration_seconds))
        return lambda sample: replace(session.ask(sample.question).reply, frames_seconds=())


def middles(frames: int, duration_seconds: float) -> Seconds:
    """Return the middles of `frames` equal parts of a video."""
    return (np.arange(frames, dtype=np.float64) + 0.5) * (duration_seconds / frames)


def watch(panda: LongPanda, scene: Scene, seconds: Seconds) -> Session:
    """Encode a scene block by block, as `longpanda ask` does with a file."""
    size_px = panda.model.config.stab_config.image_px
    encoder = FileEncoder(panda.model, panda.processor, (size_px, size_px))
    parts = list(encoder.encode(_blocks(scene, seconds, encoder.block_frames, size_px)))
    watched = Watched(joined(parts, seconds, scene.duration_seconds), Path(scene.name))
    plan = plan_index(watched, panda.model, panda.processor, AS_LONG_AS_THE_CONTEXT, None)
    return Session(panda.name, panda.model, panda.processor, watched, plan)


def _blocks(scene: Scene, seconds: Seconds, size: int, size_px: int) -> Iterator[Block]:
    for first in range(0, len(seconds), size):
        times = seconds[first : first + size]
        yield Block(VideoClip(render(scene, times, size_px), times, scene.duration_seconds), first + len(times))


def film(seed: int, frames: int, step_seconds: float) -> tuple[Scene, int]:
    """Return a gallery scene for `frames` frames, with that number."""
    return paced_gallery(seed, frames, step_seconds), frames


def questions(scene: Scene, families: Sequence[str], **known: Any) -> list[Sample]:
    """Return the test questions about a scene, with what a report groups by; videos of one script are one cluster."""
    rng = np.random.default_rng(scene.seed)
    asked = [sample for name in families for sample in FAMILIES[name].ask(scene, rng)]
    known = {"cluster": f"{scene.room}-{scene.seed}", **known}
    return [
        replace(sample, facts=replace(sample.facts, depth=_depth(sample, scene), **known))
        for sample in asked
        if not sample.facts.training_only
    ]


def _depth(sample: Sample, scene: Scene) -> float | None:
    return sample.evidence_seconds[0][0] / scene.duration_seconds if sample.evidence_seconds else None


def identity(panda: LongPanda) -> dict[str, str]:
    """Identify a model by its contents, whatever the name of its folder."""
    return {"encoder": panda.model.visual.fingerprint(), "language": language_fingerprint(panda.model)}
