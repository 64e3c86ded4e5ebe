"""Any server that speaks the OpenAI chat-completions protocol and looks at images, as an answerer."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from longpanda.errors import AnswererError
from longpanda.evaluate.masking import MASK, masked
from longpanda.evaluate.runner import Ask, require_timeout
from longpanda.types import Reply, Sample

Pictures = Callable[[str], list[tuple[float, bytes]]]
"""From a video's name to (seconds, JPEG) of the frames that are shown."""


class Endpoint:
    """A model behind HTTP: it is shown frames with their times, then asked.

    Args:
        url: up to and without /chat/completions, as in https://host/v1; user:password@ and ?query are sent along, and
            masked in errors.
        model: the name the server knows it by.
        pictures: the frames of a video.
        key: sent as a bearer token, or "".
        timeout_seconds: for one answer.
        most_tokens: in an answer.

    Raises:
        ConfigError: a timeout that is not finite and above 0.
    """

    def __init__(
        self,
        url: str,
        model: str,
        pictures: Pictures,
        key: str = "",
        timeout_seconds: float = 300.0,
        most_tokens: int = 64,
    ) -> None:
        require_timeout(timeout_seconds)
        self.url, self.model, self.pictures, self.key = url, model, pictures, key
        self.timeout_seconds, self.most_tokens = timeout_seconds, most_tokens

    def watch(self, video: str) -> Ask:
        """Decode the frames once; they are sent with every question."""
        frames = self.pictures(video)
        shown = [part for seconds, jpeg in frames for part in _shown(seconds, jpeg)]
        times = tuple(seconds for seconds, _ in frames)
        return lambda sample: self._ask(sample, shown, times)

    def _ask(self, sample: Sample, shown: list[dict[str, Any]], times: tuple[float, ...]) -> Reply:
        question = f"{sample.question} {sample.metadata.get('instruction', '')}".strip()
        content = [*shown, {"type": "text", "text": question}]
        body = {"model": self.model, "messages": [{"role": "user", "content": content}], "temperature": 0}
        answered = self._post(body | {"max_tokens": self.most_tokens})
        try:
            text = answered["choices"][0]["message"]["content"]
            return Reply(str(text or ""), times)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._error(f"answered {self._hidden(str(answered))[:80]!r}") from error

    def _post(self, body: dict[str, Any]) -> Any:
        try:
            address, headers = _addressed(self.url, self.key)
            request = urllib.request.Request(address, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            said = self._hidden(error.read().decode(errors="replace"))
            raise self._error(f"answered {error.code} {said[:80]!r}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:  # no address, none there, half an answer
            raise self._error(f"failed ({self._hidden(str(error))})") from error

    def _hidden(self, said: str) -> str:
        """What was said without the key, which some servers repeat."""
        return said.replace(self.key, MASK) if self.key else said

    def _error(self, what: str) -> AnswererError:
        return AnswererError(f"{masked(self.url)} {what}", "an OpenAI-compatible chat completion", "see its log")


def _addressed(url: str, key: str) -> tuple[str, dict[str, str]]:
    """The address that questions go to, and the headers: a key, or a user's password, is no part of the address."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    headers = {"Content-Type": "application/json"}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return parts._replace(netloc=host, path=parts.path.rstrip("/") + "/chat/completions").geturl(), headers


def _shown(seconds: float, jpeg: bytes) -> list[dict[str, Any]]:
    """One frame with its time, in the protocol's words."""
    address = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return [
        {"type": "text", "text": f"{int(seconds // 60):02d}:{seconds % 60:04.1f}"},
        {"type": "image_url", "image_url": {"url": address}},
    ]
