"""Systems that can be evaluated: a LongPanda model, a command, a server, or the oracle."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from longpanda.errors import ConfigError
from longpanda.harness.defaults import ENDPOINT_FRAMES, ENDPOINT_MODEL, PATIENCE_SECONDS, TIMEOUT_SECONDS
from longpanda.types import ANSWER_TOKENS

if TYPE_CHECKING:
    from longpanda.evaluate import Answerer, Request
    from longpanda.harness.questions import Questions


class System(Protocol):
    """A system that answers questions about videos."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that results must share to be comparable, as JSON without secrets."""

    def versions(self) -> dict[str, Any]:
        """Return software and hardware, which may differ between starts of a run."""

    def limits(self) -> dict[str, Any]:
        """Return timeouts and limits on answers, which may differ between starts of a run."""

    def check(self) -> None:
        """Raise ConfigError if the system cannot run on this machine, before anything is loaded."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":
        """Return one answerer per worker.

        Args:
            questions: the questions to be asked.
            workers: number of answerers.
            say: called with messages for the user while the answerers work.

        Raises:
            ConfigError: the system was not found, or cannot be asked these questions.
        """


@dataclass(frozen=True)
class ModelSystem:
    """A LongPanda model.

    Results are comparable if the model's files, the name of its folder (not its location) and its number format agree.
    The format is recorded only if it differs from the one the model was saved in.

    Args:
        name: a bundled model, a model folder or a hub id.
        frames: number of frames of each video to look at, spread evenly; None for the model's own sampling.
        answer_tokens: limit on the length of an answer, in tokens.
        device: such as "cuda:0"; None for the CPU.
        dtype: such as "bfloat16"; None for the one it was saved in.
    """

    name: str
    frames: int | None = None
    answer_tokens: int = ANSWER_TOKENS
    device: str | None = None
    dtype: str | None = None

    def settings(self) -> dict[str, Any]:
        """See `System.settings`. Raises ModelError for no such model."""
        from longpanda.harness.identity import model_sha256, saved_dtype

        folder = Path(self.name)
        shown = folder.resolve().name if folder.is_dir() else self.name
        other_dtype = {} if self.dtype in (None, saved_dtype(self.name)) else {"dtype": self.dtype}
        return {"frames": self.frames, "model": shown, "model_sha256": model_sha256(self.name), **other_dtype}

    def versions(self) -> dict[str, Any]:
        """See `System.versions`."""
        from longpanda.provenance import model_versions

        return model_versions() | ({} if self.device is None else {"device": self.device})

    def limits(self) -> dict[str, Any]:
        """See `System.limits`."""
        return {"answer_tokens": self.answer_tokens}

    def check(self) -> None:
        """Raise ConfigError if there is no such device or number format."""
        from longpanda.harness.placement import check_device, check_dtype

        check_device(self.device)
        check_dtype(self.dtype)

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """Load the model once for all workers. See `System.answerers`."""
        from longpanda.harness.answerers import ModelAnswerer
        from longpanda.harness.placement import loaded
        from longpanda.video import Sampling

        sampling = Sampling.from_options(self.frames)
        panda = loaded(self.name, self.device, self.dtype)
        return [ModelAnswerer(panda, questions, sampling, self.answer_tokens)] * workers


@dataclass(frozen=True)
class CommandSystem:
    """A program that reads questions and writes answers, each one line of JSON (`longpanda.evaluate.Command`).

    Results are comparable if the command and the contents of the files that it names agree.

    Args:
        words: the program and its arguments; at least one.
        timeout_seconds: time limit for one answer.
    """

    words: tuple[str, ...]
    timeout_seconds: float = TIMEOUT_SECONDS

    def settings(self) -> dict[str, Any]:
        """See `System.settings`."""
        from longpanda.evaluate.masking import masked_command
        from longpanda.harness.identity import program_sha256

        sha256 = program_sha256(self.words)
        program = {"program_sha256": sha256} if sha256 else {}
        return {"frames": None, "command": masked_command(list(self.words)), **program}

    def versions(self) -> dict[str, Any]:
        """Return nothing: the versions are unknown."""
        return {}

    def limits(self) -> dict[str, Any]:
        """See `System.limits`."""
        return {"timeout_seconds": self.timeout_seconds}

    def check(self) -> None:
        """Do nothing: `answerers` looks for the program."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """Return an answerer with its own process per worker. Raises ConfigError if the program is not found."""
        from longpanda.evaluate import Command
        from longpanda.evaluate.masking import masked_command

        words = list(self.words)
        if shutil.which(words[0]) is None:
            found = f"no program '{masked_command(words[:1])}'"
            expected = "a program on the PATH, or the path of one"
            raise ConfigError(found, expected, "correct the command, or install the program")
        return [Command(words, questions.folder, self.timeout_seconds, questions.suffix) for _ in range(workers)]


@dataclass(frozen=True)
class EndpointSystem:
    """A server with OpenAI's chat completions API and a model that accepts images.

    Args:
        url: address of the API, without /chat/completions.
        model: the server's name for the model.
        frames: number of frames of each video to send, spread evenly.
        key: API key, sent as a bearer token and never stored; "" for none.
        timeout_seconds: time limit for one answer.
        patience_seconds: limit on the total time spent waiting between attempts at one question.
        request: further request settings; None for the defaults.
    """

    url: str
    model: str = ENDPOINT_MODEL
    frames: int = ENDPOINT_FRAMES
    key: str = field(default="", repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    patience_seconds: float = PATIENCE_SECONDS
    request: "Request | None" = None

    @property
    def _request(self) -> "Request":
        from longpanda.evaluate import Request

        return self.request or Request()

    def settings(self) -> dict[str, Any]:
        """See `System.settings`."""
        from longpanda.evaluate.masking import masked

        request = self._request
        asked = {"temperature": request.temperature, "limit_field": request.limit_field}
        extra = {"extra_body": masked(json.dumps(request.extra))} if request.extra else {}
        who = {"endpoint": masked(self.url), "endpoint_model": self.model}
        return {"frames": self.frames, **who, **asked, **extra}

    def versions(self) -> dict[str, Any]:
        """Return nothing: the versions are unknown."""
        return {}

    def limits(self) -> dict[str, Any]:
        """See `System.limits`."""
        longest = {"answer_tokens": self._request.answer_tokens}
        return {"timeout_seconds": self.timeout_seconds, **longest, "patience_seconds": self.patience_seconds}

    def check(self) -> None:
        """Do nothing: `answerers` checks the address."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":
        """Return one client for all workers. Raises ConfigError for an address that cannot be a server's."""
        from longpanda.evaluate import Endpoint
        from longpanda.harness.answerers import JpegFrames
        from longpanda.video import Sampling

        _require_address(self.url)
        pictures = JpegFrames(questions, Sampling(frames=self.frames))
        how = self.key, self.timeout_seconds, self._request, self.patience_seconds, say
        return [Endpoint(self.url, self.model, pictures, *how)] * workers


@dataclass(frozen=True)
class OracleSystem:
    """The classical reader of pixels, which needs no model; it reads generated suites only."""

    def settings(self) -> dict[str, Any]:
        """See `System.settings`."""
        return {"frames": None, "oracle": True}

    def versions(self) -> dict[str, Any]:
        """Return nothing: the oracle is part of LongPanda."""
        return {}

    def limits(self) -> dict[str, Any]:
        """Return nothing: the oracle has no limits."""
        return {}

    def check(self) -> None:
        """Do nothing: the oracle runs everywhere."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """Return one oracle for all workers. Raises ConfigError if the questions are not of a generated suite."""
        from longpanda.harness.answerers import OracleAnswerer
        from longpanda.harness.questions import Suite

        if not isinstance(questions, Suite):
            found = f"the oracle for the questions in '{questions.source}'"
            raise ConfigError(found, "a generated suite, the only videos it can read", "run another system")
        return [OracleAnswerer(questions)] * workers


def _require_address(url: str) -> None:
    """Raise ConfigError if an address cannot be that of a server."""
    from longpanda.evaluate.masking import masked

    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # an incomplete IPv6 address
        reachable = False
    if reachable and parts.path.rstrip("/").endswith("/chat/completions"):
        found = f"--endpoint '{masked(url)}'"
        raise ConfigError(found, "the address without /chat/completions", "leave out /chat/completions")
    if not reachable:
        raise ConfigError(f"--endpoint '{masked(url)}'", "http://HOST or https://HOST", "pass the whole address")
