"""An answerer for any server with the OpenAI chat-completions protocol and image input."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from longpanda.errors import AnswererError, ConfigError, ErrorKind
from longpanda.evaluate.completion import Trouble, read_answer, read_failure
from longpanda.evaluate.masking import MASK, masked
from longpanda.evaluate.patience import wait_seconds
from longpanda.evaluate.request import Fields, Request
from longpanda.evaluate.runner import Ask, require_timeout
from longpanda.types import Reply, Sample

Pictures = Callable[[str], list[tuple[float, bytes]]]
"""Maps the name of a video to the (seconds, JPEG) of the frames to show."""
TRIES: Final = 5
"""Tries for a question if the server fails. If it is busy, only the patience limits them."""
_SAID_FROM_SECONDS: Final = 5.0
"""Shortest wait that is reported."""
_REMEDIES: Final = {
    ErrorKind.DENIED: "check --endpoint, --endpoint-model and the key in --key-variable",
    ErrorKind.TOO_LARGE: "send fewer pictures with --frames, or lower --answer-tokens",
    ErrorKind.BUSY: "ask again later, or wait longer with --patience",
    ErrorKind.TIMEOUT: "allow more time with --timeout",
    ErrorKind.CONNECTION: "check that it runs and that --endpoint is its address",
    ErrorKind.REJECTED: "change the request with --extra-body",
    ErrorKind.FILTERED: "use another model if this happens again",
}


class Endpoint:
    """A model behind HTTP, which gets frames with their times and then a question.

    If the server refuses an optional field by name, the field is omitted from then on (the limit on an answer is first
    tried under its other name), and this is reported once. If the server is busy or fails, the question is sent again
    after a pause, which follows Retry-After or doubles each time. This ends when the waits exceed the patience for one
    question, or after `TRIES` failures; then each further question is sent once, until one is answered.

    Args:
        url: address without /chat/completions, as in https://host/v1; user:password@ and ?query are sent, and masked in
            errors.
        model: the server's name of the model.
        pictures: returns the frames of a video.
        key: sent as a bearer token, or "".
        timeout_seconds: time limit for one answer.
        request: further settings of the request.
        patience_seconds: limit on all waits between tries of one question; 0 means a single try.
        say: called with messages for the user.
        sleep: waits for a number of seconds.
        clock: returns seconds since the epoch.

    Raises:
        ConfigError: the timeout is not finite and above 0, or the patience is negative.
    """

    def __init__(
        self,
        url: str,
        model: str,
        pictures: Pictures,
        key: str = "",
        timeout_seconds: float = 300.0,
        request: Request | None = None,
        patience_seconds: float = 120.0,
        say: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        import httpx2

        require_timeout(timeout_seconds)
        if not patience_seconds >= 0:
            raise ConfigError(f"a patience of {patience_seconds:g} s", "at least 0", "give it in seconds")
        self.url, self.model, self.pictures, self.key = url, model, pictures, key.strip()
        self.timeout_seconds, self.patience_seconds = timeout_seconds, patience_seconds
        self._fields = Fields((request or Request()).fields)
        self._say, self._sleep, self._clock = say, sleep, clock
        self._was_reached, self._is_down = False, False
        self._client = httpx2.Client(timeout=timeout_seconds, limits=httpx2.Limits(max_connections=None))

    def watch(self, video: str) -> Ask:
        """Decode the frames of a video once, to send them with every question about it."""
        frames = self.pictures(video)
        shown = [part for seconds, jpeg in frames for part in _shown(seconds, jpeg)]
        times = tuple(seconds for seconds, _ in frames)
        return lambda sample: replace(self._ask(sample, shown), frames_seconds=times)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Fields of the request that the server has refused so far."""
        return self._fields.left_out

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, sample: Sample, shown: list[dict[str, Any]]) -> Reply:
        question = f"{sample.question} {sample.facts.instruction}".strip()
        messages = [{"role": "user", "content": [*shown, {"type": "text", "text": question}]}]
        waited, tries = 0.0, 0
        while True:
            found = self._once(messages)
            if isinstance(found, Reply):
                self._is_down = False
                return found
            seconds = wait_seconds(tries, found.retry_after, self._clock())
            is_last = tries + 1 == TRIES and found.kind is not ErrorKind.BUSY
            if not found.may_pass or self._is_down or is_last or waited + seconds > self.patience_seconds:
                self._is_down = found.may_pass
                raise self._error(found, tries, seconds if found.retry_after else 0.0)
            if seconds >= _SAID_FROM_SECONDS:
                self._say(f"{masked(self.url)} {found.said[:100]}: asking again in {seconds:.0f} s")
            self._sleep(seconds)
            waited, tries = waited + seconds, tries + 1

    def _once(self, messages: list[dict[str, Any]]) -> Reply | Trouble:
        """Send a request, and send it again without the fields that the server refuses.

        Those are omitted for good only if the server answers without them: an error may name a field that is not its
        cause.
        """
        fields = Fields(self._fields.sent)
        while True:
            started = time.perf_counter()
            found = self._posted({"model": self.model, "messages": messages, **fields.sent}, fields.sent)
            if isinstance(found, Reply):
                for said in self._fields.give_up(fields.left_out):
                    self._say(f"{masked(self.url)} {said}")
                return replace(found, seconds=time.perf_counter() - started)
            if not found.refused:
                return found
            fields.give_up(found.refused)

    def _posted(self, body: dict[str, Any], fields: dict[str, Any]) -> Reply | Trouble:
        import httpx2

        try:
            address, headers = _addressed(self.url, self.key)
            status, headers, text = self._exchanged(address, json.dumps(body).encode(), headers)
        except (httpx2.RequestError, httpx2.InvalidURL, ValueError) as error:
            return self._unreached(error)
        self._was_reached = True
        text = self._hidden(text)
        if 200 <= status < 300:
            return read_answer(text, fields)
        moved = f" and moved to {masked(headers['location'])}" if "location" in headers else ""
        found = read_failure(status, text, fields, headers.get("retry-after", ""))
        return replace(found, said=found.said + moved)

    def _exchanged(self, address: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        """Return status, headers in lower case and body of the response to a request.

        Raises:
            httpx2.ReadTimeout: the response was not complete in time; the library's own limit applies to each chunk.
        """
        import httpx2

        until = monotonic() + self.timeout_seconds
        whole = b""
        with self._client.stream("POST", address, content=body, headers=headers) as response:
            for part in response.iter_bytes():
                whole += part
                if monotonic() > until:
                    raise httpx2.ReadTimeout("the response was not complete in time")
        return response.status_code, dict(response.headers), whole.decode(errors="replace")

    def _unreached(self, error: Exception) -> Trouble:
        """Describe a failed or broken connection. It is temporary only if a server has answered before, or it broke."""
        import httpx2

        if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
            return Trouble(ErrorKind.TIMEOUT, f"was silent for {self.timeout_seconds:g} s")
        broke = isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError)
        may_pass = broke or (self._was_reached and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout))
        return Trouble(ErrorKind.CONNECTION, f"failed ({self._hidden(str(error)) or type(error).__name__})", may_pass)

    def _hidden(self, said: str) -> str:
        """Mask the key, which some servers repeat in their messages."""
        return said.replace(self.key, MASK) if self.key else said

    def _error(self, trouble: Trouble, tries: int, asked_seconds: float) -> AnswererError:
        said = f"{masked(self.url)} {trouble.said}"
        said += f", asked {1 + tries} times" if tries else ""
        said += f", and wants {asked_seconds:.0f} s of patience" if asked_seconds > self.patience_seconds else ""
        remedy = _REMEDIES.get(trouble.kind, "see the server's log")
        return AnswererError(said, "an OpenAI-compatible chat completion", remedy, trouble.kind)


def _addressed(url: str, key: str) -> tuple[str, dict[str, str]]:
    """Return the address of requests and the headers, to which a user and password in the URL are moved."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    headers = {"Content-Type": "application/json"}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return parts._replace(netloc=host, path=parts.path.rstrip("/") + "/chat/completions").geturl(), headers


def _shown(seconds: float, jpeg: bytes) -> list[dict[str, Any]]:
    """Return one frame with its time as content parts of the protocol."""
    address = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return [
        {"type": "text", "text": f"{int(seconds // 60):02d}:{seconds % 60:04.1f}"},
        {"type": "image_url", "image_url": {"url": address}},
    ]
