"""What can be asked the questions of a suite: our models, any command, any server, the oracle."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer, Ask
    from longpanda.inference import LongPanda
    from longpanda.longwatch import Scene
    from longpanda.types import Reply, Sample
    from longpanda.video import Sampling

from longpanda.cli.endpoint_options import (
    answer_tokens,
    endpoint_key,
    endpoint_model,
    patience_seconds,
    request_of,
    require_endpoint,
    timeout_seconds,
)
from longpanda.cli.models import loaded
from longpanda.cli.provenance import ENDPOINT_FRAMES, words_of


def answerers(options: argparse.Namespace, say: Callable[[str], None]) -> "list[Answerer]":
    """One for each worker; what a user should know while they work is said."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate import Command, Endpoint
    from longpanda.longwatch.manifest import VIDEOS
    from longpanda.video import Sampling

    if options.frames is not None and (options.command is not None or options.oracle):
        raise ConfigError("--frames for a command or the oracle", "one that samples for itself", "leave it out")
    if options.answer_tokens is not None and (options.command is not None or options.oracle):
        found = "--answer-tokens for a command or the oracle"
        raise ConfigError(found, "it with --model or --endpoint", "leave it out, or tell the command itself")
    require_endpoint(options)
    most = answer_tokens(options)
    sampling = None if options.frames is None else Sampling(frames=options.frames)
    if options.model is None and (options.device, options.dtype) != (None, None):
        raise ConfigError("--device or --dtype without --model", "one of our models", "leave them out")
    videos = options.folder / VIDEOS
    if options.command is not None:
        words = words_of(options.command)
        _require_program(words)
        return [Command(words, videos, timeout_seconds(options)) for _ in range(options.workers)]
    if options.endpoint is not None:
        _require_address(options.endpoint)
        pictures = _Pictures(videos, sampling or Sampling(frames=ENDPOINT_FRAMES))
        how = endpoint_key(options), timeout_seconds(options), request_of(options), patience_seconds(options), say
        return [Endpoint(options.endpoint, endpoint_model(options), pictures, *how)] * options.workers
    if options.oracle:
        return [_Reading(options.folder)] * options.workers
    panda = loaded(options.model, options.device, options.dtype)
    return [_Watching(panda, videos, sampling, most)] * options.workers


def _require_program(words: list[str]) -> None:
    """Raises ConfigError where a command's program is not there."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate.masking import masked_command

    if shutil.which(words[0]) is None:
        found = f"no program '{masked_command(words[:1])}'"
        raise ConfigError(found, "one that is on the PATH, or a path to one", "correct the command, or install it")


def _require_address(url: str) -> None:
    """Raises ConfigError where no server can be reached under an address, whatever it does."""
    from longpanda.errors import ConfigError
    from longpanda.evaluate.masking import masked

    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # half an IPv6 address
        reachable = False
    if reachable and parts.path.rstrip("/").endswith("/chat/completions"):
        found = f"--endpoint '{masked(url)}'"
        raise ConfigError(found, "the address up to and without /chat/completions", "leave that out")
    if not reachable:
        raise ConfigError(f"--endpoint '{masked(url)}'", "http://HOST or https://HOST", "give the whole address")


class _Watching:
    """One of our models."""

    def __init__(self, panda: "LongPanda", folder: Path, sampling: "Sampling | None", answer_tokens: int) -> None:
        self.panda, self.folder, self.sampling, self.answer_tokens = panda, folder, sampling, answer_tokens

    def watch(self, video: str) -> "Ask":
        path = self.folder / f"{video}.mp4"
        session = self.panda.watch(path, self.sampling, answer_tokens=self.answer_tokens)
        return lambda sample: session.ask(sample.question).reply


class _Reading:
    """The oracle from pixels, at the pace of the suite's level."""

    def __init__(self, folder: Path) -> None:
        from longpanda.longwatch.manifest import VIDEOS
        from longpanda.longwatch.oracle import LOOKS_PER_DWELL
        from longpanda.longwatch.script import LEVELS
        from longpanda.longwatch.suite import SuitePlan

        dwell_seconds = LEVELS[SuitePlan.read(folder).level].dwell_seconds
        self.folder, self.step_seconds = folder / VIDEOS, dwell_seconds / LOOKS_PER_DWELL

    def watch(self, video: str) -> "Ask":
        from longpanda.longwatch.oracle import read_film_sights

        watched = read_film_sights(self.folder / f"{video}.mp4", self.step_seconds)
        scene, looks = watched.scene(), tuple(moment for moment, _ in watched.sights)
        return lambda sample: _read_off(scene, looks, sample)


def _read_off(scene: "Scene", looks: tuple[float, ...], sample: "Sample") -> "Reply":
    """The answer, or its letter; the oracle knows the words of questions alone, and not of options.

    Where none of the options is what it has read, it says that: it was wrong, and not silent.
    """
    from longpanda.longwatch.choices import lettered
    from longpanda.longwatch.oracle import answer
    from longpanda.types import Reply

    said = answer(scene, sample.metadata.get("of", sample.question))
    return Reply(lettered(said, sample) or said, looks)


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
        from longpanda.longwatch.manifest import VIDEOS

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
