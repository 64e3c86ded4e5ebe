"""Any server that speaks the OpenAI chat-completions protocol and looks at images, as an answerer."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from longpanda.errors import AnswererError
from longpanda.evaluate.runner import Ask
from longpanda.types import Reply, Sample

Pictures = Callable[[str], list[tuple[float, bytes]]]
"""From a video's name to (seconds, JPEG) of the frames that are shown."""


class Endpoint:
    """A model behind HTTP: it is shown frames with their times, then asked.

    Args:
        url: up to and without /chat/completions, as in https://host/v1.
        model: the name the server knows it by.
        pictures: the frames of a video.
        key: sent as a bearer token, or "".
        timeout_seconds: for one answer.
        most_tokens: in an answer.
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
        self.url, self.model, self.pictures, self.key = url.rstrip("/"), model, pictures, key
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
            raise self._error(f"answered {str(answered)[:80]!r}") from error

    def _post(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise self._error(f"answered {error.code} {error.read()[:80]!r}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:  # no server, none in time, half an answer
            raise self._error(f"failed ({error})") from error

    def _error(self, what: str) -> AnswererError:
        return AnswererError(f"{self.url} {what}", "an OpenAI-compatible chat completion", "see the server's log")


def _shown(seconds: float, jpeg: bytes) -> list[dict[str, Any]]:
    """One frame with its time, in the protocol's words."""
    address = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return [
        {"type": "text", "text": f"{int(seconds // 60):02d}:{seconds % 60:04.1f}"},
        {"type": "image_url", "image_url": {"url": address}},
    ]
