"""What can be asked the questions of a suite: our models, any command, any server, the oracle."""

import argparse
import hashlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer, Ask
    from longpanda.index import LongPanda
    from longpanda.video import Sampling


def configuration(options: argparse.Namespace) -> dict[str, Any]:
    """What makes two results comparable; how fast they were made is left out."""
    from longpanda import __version__

    who = {
        name: getattr(options, name) for name in ("model", "command", "endpoint", "oracle") if getattr(options, name)
    }
    if options.endpoint:
        who["endpoint_model"] = options.endpoint_model
    return {"longpanda": __version__, "suite_sha256": suite_sha256(options.folder), "frames": options.frames, **who}


def suite_sha256(folder: Path) -> str:
    """What tells a suite from any other. Raises ConfigError for a folder that holds none."""
    from longpanda.longwatch.make import manifest_of

    return hashlib.sha256(manifest_of(folder).read_bytes()).hexdigest()


def answerers(options: argparse.Namespace) -> "list[Answerer]":
    """One for each worker."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate import Command, Endpoint
    from longpanda.longwatch.make import VIDEOS
    from longpanda.video import Sampling

    if options.frames is not None and (options.command or options.oracle):
        raise ConfigError("--frames for a command or the oracle", "one that samples for itself", "leave it out")
    sampling = None if options.frames is None else Sampling(frames=options.frames)
    videos = options.folder / VIDEOS
    if options.command:
        return [Command(shlex.split(options.command), videos, options.timeout) for _ in range(options.workers)]
    if options.endpoint:
        pictures = _Pictures(videos, sampling or Sampling(frames=64))
        key = os.environ.get(options.key_variable, "")
        return [Endpoint(options.endpoint, options.endpoint_model, pictures, key, options.timeout)] * options.workers
    if options.oracle:
        return [_Reading(options.folder)] * options.workers
    from longpanda.index import load

    return [_Watching(load(options.model), videos, sampling)] * options.workers


class _Watching:
    """One of our models."""

    def __init__(self, panda: "LongPanda", folder: Path, sampling: "Sampling | None") -> None:
        self.panda, self.folder, self.sampling = panda, folder, sampling

    def watch(self, video: str) -> "Ask":
        session = self.panda.watch(self.folder / f"{video}.mp4", self.sampling)
        return lambda sample: session.ask(sample.question).reply


class _Reading:
    """The oracle from pixels, at the pace of the suite's level."""

    def __init__(self, folder: Path) -> None:
        from longpanda.longwatch.make import VIDEOS
        from longpanda.longwatch.oracle import LOOKS_PER_DWELL
        from longpanda.longwatch.script import LEVELS
        from longpanda.longwatch.suite import SuitePlan

        dwell_seconds = LEVELS[SuitePlan.read(folder).level].dwell_seconds
        self.folder, self.step_seconds = folder / VIDEOS, dwell_seconds / LOOKS_PER_DWELL

    def watch(self, video: str) -> "Ask":
        from longpanda.longwatch.oracle import answer, read_film_sights
        from longpanda.types import Reply

        watched = read_film_sights(self.folder / f"{video}.mp4", self.step_seconds)
        scene, looks = watched.scene(), tuple(moment for moment, _ in watched.sights)
        return lambda sample: Reply(answer(scene, sample.question), looks)


class _Pictures:
    """Frames as JPEG, for a server."""

    def __init__(self, folder: Path, sampling: "Sampling") -> None:
        self.folder, self.sampling = folder, sampling

    def __call__(self, video: str) -> list[tuple[float, bytes]]:
        from longpanda.video import iter_frames, probe

        path = self.folder / f"{video}.mp4"
        pictures = []
        for frame in iter_frames(path, self.sampling.seconds_for(probe(path).duration_seconds)):
            pictures.append((frame.pts_seconds, _jpeg(frame.pixels)))
        return pictures


class Moments:
    """One moment of a video of a suite as JPEG."""

    def __init__(self, suite: Path) -> None:
        from longpanda.longwatch.make import VIDEOS

        self.folder = suite / VIDEOS

    def __call__(self, video: str, second: float) -> bytes:
        """The frame on screen then, 224 px wide."""
        from longpanda.video import decode

        return _jpeg(decode(self.folder / f"{video}.mp4", [second], size_px=(224, 224)).frames[0])


def _jpeg(pixels: Any) -> bytes:
    import io

    from PIL import Image

    Image.fromarray(pixels).save(jpeg := io.BytesIO(), "JPEG", quality=90)
    return jpeg.getvalue()
