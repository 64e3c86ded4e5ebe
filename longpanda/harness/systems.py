"""Who is asked: one of our models, a command, a server, or the oracle."""

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
    """Whoever can be asked questions about videos."""

    def settings(self) -> dict[str, Any]:
        """What makes two results comparable: JSON, without secrets."""

    def versions(self) -> dict[str, Any]:
        """Software and machine, which may differ from one start to the next."""

    def limits(self) -> dict[str, Any]:
        """How patiently it is asked, which may differ from one start to the next."""

    def check(self) -> None:
        """Raises ConfigError where it cannot run here, before anything is loaded."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":
        """One for each worker; `say` is told what a user should know while they work."""


@dataclass(frozen=True)
class ModelSystem:
    """One of our models.

    It is its weights and files and the name of its folder, wherever that is, and its number format where that is not
    the one it was saved in.

    Args:
        name: a bundled model, a model folder or a hub id.
        frames: of each video to look at, spread evenly; None for the model's own sampling.
        answer_tokens: the longest answer.
        device: such as "cuda:0"; None for the CPU.
        dtype: such as "bfloat16"; None for the one it was saved in.
    """

    name: str
    frames: int | None = None
    answer_tokens: int = ANSWER_TOKENS
    device: str | None = None
    dtype: str | None = None

    def settings(self) -> dict[str, Any]:
        """As `System`. Raises ModelError for no such model."""
        from longpanda.harness.identity import model_sha256, saved_dtype

        folder = Path(self.name)
        shown = folder.resolve().name if folder.is_dir() else self.name
        other_dtype = {} if self.dtype in (None, saved_dtype(self.name)) else {"dtype": self.dtype}
        return {"frames": self.frames, "model": shown, "model_sha256": model_sha256(self.name), **other_dtype}

    def versions(self) -> dict[str, Any]:
        """As `System`."""
        from longpanda.provenance import model_versions

        return model_versions() | ({} if self.device is None else {"device": self.device})

    def limits(self) -> dict[str, Any]:
        """As `System`."""
        return {"answer_tokens": self.answer_tokens}

    def check(self) -> None:
        """Raises ConfigError where there is no such device or number format."""
        from longpanda.harness.placement import check_device, check_dtype

        check_device(self.device)
        check_dtype(self.dtype)

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """As `System`: one model for all workers."""
        from longpanda.harness.answerers import ModelAnswerer
        from longpanda.harness.placement import loaded
        from longpanda.video import Sampling

        sampling = Sampling.from_options(self.frames)
        panda = loaded(self.name, self.device, self.dtype)
        return [ModelAnswerer(panda, questions, sampling, self.answer_tokens)] * workers


@dataclass(frozen=True)
class CommandSystem:
    """A program that reads questions and writes answers, each one line of JSON (`longpanda.evaluate.Command`).

    It is its words, and the contents of the files that they name.

    Args:
        words: the program and its arguments; at least one.
        timeout_seconds: for one answer.
    """

    words: tuple[str, ...]
    timeout_seconds: float = TIMEOUT_SECONDS

    def settings(self) -> dict[str, Any]:
        """As `System`."""
        from longpanda.evaluate.masking import masked_command
        from longpanda.harness.identity import program_sha256

        sha256 = program_sha256(self.words)
        program = {"program_sha256": sha256} if sha256 else {}
        return {"frames": None, "command": masked_command(list(self.words)), **program}

    def versions(self) -> dict[str, Any]:
        """As `System`: it is not told."""
        return {}

    def limits(self) -> dict[str, Any]:
        """As `System`."""
        return {"timeout_seconds": self.timeout_seconds}

    def check(self) -> None:
        """Nothing: whether the program is there is known when it is to start."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """As `System`: a process for each worker. Raises ConfigError where the program is not there."""
        from longpanda.evaluate import Command
        from longpanda.evaluate.masking import masked_command

        words = list(self.words)
        if shutil.which(words[0]) is None:
            found = f"no program '{masked_command(words[:1])}'"
            raise ConfigError(found, "one that is on the PATH, or a path to one", "correct the command, or install it")
        return [Command(words, questions.folder, self.timeout_seconds, questions.suffix) for _ in range(workers)]


@dataclass(frozen=True)
class EndpointSystem:
    """A server that speaks OpenAI's chat completions and looks at images.

    Args:
        url: its address, up to and without /chat/completions.
        model: what the server calls its model.
        frames: of each video to send, spread evenly.
        key: sent as a bearer token, or ""; stored nowhere.
        timeout_seconds: for one answer.
        patience_seconds: for waiting between tries of one question, all together.
        request: what else is asked for; None for the defaults.
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
        """As `System`."""
        from longpanda.evaluate.masking import masked

        request = self._request
        asked = {"temperature": request.temperature, "limit_field": request.limit_field}
        extra = {"extra_body": masked(json.dumps(request.extra))} if request.extra else {}
        who = {"endpoint": masked(self.url), "endpoint_model": self.model}
        return {"frames": self.frames, **who, **asked, **extra}

    def versions(self) -> dict[str, Any]:
        """As `System`: it is not told."""
        return {}

    def limits(self) -> dict[str, Any]:
        """As `System`."""
        longest = {"answer_tokens": self._request.answer_tokens}
        return {"timeout_seconds": self.timeout_seconds, **longest, "patience_seconds": self.patience_seconds}

    def check(self) -> None:
        """Nothing: whether the address is one is known when it is to be asked."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":
        """As `System`: one client for all workers. Raises ConfigError for an address where no server can be."""
        from longpanda.evaluate import Endpoint
        from longpanda.harness.answerers import Pictures
        from longpanda.video import Sampling

        _require_address(self.url)
        pictures = Pictures(questions, Sampling(frames=self.frames))
        how = self.key, self.timeout_seconds, self._request, self.patience_seconds, say
        return [Endpoint(self.url, self.model, pictures, *how)] * workers


@dataclass(frozen=True)
class OracleSystem:
    """The classical reader of pixels, which needs no model; it reads generated suites alone."""

    def settings(self) -> dict[str, Any]:
        """As `System`."""
        return {"frames": None, "oracle": True}

    def versions(self) -> dict[str, Any]:
        """As `System`."""
        return {}

    def limits(self) -> dict[str, Any]:
        """As `System`: it has none."""
        return {}

    def check(self) -> None:
        """Nothing: it runs everywhere."""

    def answerers(self, questions: "Questions", workers: int, say: Callable[[str], None]) -> "list[Answerer]":  # noqa: ARG002
        """As `System`. Raises ConfigError where the questions are not those of a generated suite."""
        from longpanda.harness.answerers import OracleAnswerer
        from longpanda.harness.questions import Suite

        if not isinstance(questions, Suite):
            found = f"the oracle for the questions in '{questions.source}'"
            raise ConfigError(found, "the films of a generated suite, all that it can read", "ask another system")
        return [OracleAnswerer(questions)] * workers


def _require_address(url: str) -> None:
    """Raises ConfigError where no server can be reached under an address, whatever it does."""
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
