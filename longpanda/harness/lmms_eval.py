"""LongPanda as a model of lmms-eval, which must be installed. `longpanda.cli.lmms_eval` adds a progress bar."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

from lmms_eval.api.model import lmms

from longpanda.errors import ConfigError, LongPandaError, nearest

if TYPE_CHECKING:
    from longpanda.inference import Session

_LOG = logging.getLogger(__name__)


def _no_progress() -> None:
    pass


class LongPandaModel(lmms):
    """A LongPanda model. It answers greedily and briefly, whatever the generation settings of a task.

    Args:
        pretrained: a bundled model, a model folder or a hub id.
        frames: number of frames of each video to look at, spread evenly; None for the model's own sampling.
        fps: frames per second to look at, instead of `frames`.
        device: such as "cuda:0"; None for the CPU.
        dtype: number format of the model, such as "bfloat16"; None for the one it was saved in.
        batch_size: ignored, because lmms-eval's command line passes one; questions are asked one at a time.
        **unknown: rejected.

    Raises:
        ConfigError: an unknown argument, an invalid sampling, or a device that this machine does not have.
        ModelError: no such model.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str = "nano",
        frames: int | None = None,
        fps: float | None = None,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | str = 1,  # noqa: ARG002
        **unknown: Any,
    ) -> None:
        super().__init__()
        from longpanda.harness.placement import loaded
        from longpanda.video import Sampling

        known = ("pretrained", "frames", "fps", "device", "dtype")
        for name in unknown:
            found, remedy = f"unknown model argument '{name}'", nearest(name, known, is_listed=True)
            raise ConfigError(found, f"one of {', '.join(known)}", remedy)
        self.sampling = Sampling.from_options(frames, fps)
        self.panda = loaded(pretrained, device, dtype)

    def generate_until(self, requests: list[Any]) -> list[str]:
        """Return an answer to each request, in order; each video is read once.

        If a video cannot be read or a question cannot be answered, the answer is empty and the log has a line about it.

        Raises:
            ConfigError: a request contains anything but one video and text.
        """
        asked = [self._asked(request.args) for request in requests]
        answers = [""] * len(asked)
        order = sorted(range(len(asked)), key=lambda i: asked[i][0])
        with self.progress(len(asked)) as step:
            for video, group in groupby(order, key=lambda i: asked[i][0]):
                session = self._watch(video)
                for i in group:
                    answers[i] = _answer(session, asked[i][1]) if session else ""
                    step()
        return answers

    def progress(self, total: int) -> AbstractContextManager[Callable[[], object]]:  # noqa: ARG002
        """Return the function to call after each of `total` questions; a subclass may show the progress."""
        return nullcontext(_no_progress)

    def loglikelihood(self, requests: list[Any]) -> NoReturn:  # noqa: ARG002
        """Raises ConfigError: likelihoods are not supported."""
        raise ConfigError("a task that asks for likelihoods", "one that asks for answers", "choose another task")

    def generate_until_multi_round(self, requests: list[Any]) -> NoReturn:  # noqa: ARG002
        """Raises ConfigError: tasks of several rounds are not supported."""
        raise ConfigError("a task of several rounds", "one that asks once", "choose another task")

    def _asked(self, arguments: tuple[Any, ...]) -> tuple[str, str]:
        """Return the video and the question of a chat request."""
        _, doc_to_messages, _, doc, task, split = arguments
        messages = doc_to_messages(self.task_dict[task][split][doc])
        parts = [part for message in messages for part in _parts(message["content"])]
        videos = [part["url"] for part in parts if part.keys() == {"type", "url"} and part["type"] == "video"]
        words = [part["text"] for part in parts if part["type"] == "text"]
        if len(videos) != 1 or not isinstance(videos[0], str) or len(words) != len(parts) - 1:
            found = f"a question of '{task}' with {', '.join(part['type'] for part in parts)}"
            raise ConfigError(found, "one whole video file and text", "choose another task")
        return videos[0], "\n".join(words)

    def _watch(self, video: str) -> "Session | None":
        try:
            return self.panda.watch(video, self.sampling)
        except LongPandaError as error:
            _LOG.error(f"every answer about '{video}' is empty: {error}")
            return None


def _answer(session: "Session", question: str) -> str:
    try:
        answer = session.ask(question)
    except LongPandaError as error:
        _LOG.error(f"the answer to '{question}' is empty: {error}")
        return ""
    if answer.is_cut or not answer.text:
        _LOG.error(f"no whole answer to '{question}': {answer.notice}")
    return answer.text


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
