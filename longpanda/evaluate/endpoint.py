"""Any server that speaks the OpenAI chat-completions protocol and looks at images, as an answerer."""

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
"""From a video's name to (seconds, JPEG) of the frames that are shown."""
TRIES: Final = 5
"""To get an answer out of a server that fails; one that is busy asks for patience alone."""
_SAID_FROM_SECONDS: Final = 5.0
"""Waits from this length on are told."""
_REMEDIES: Final = {
    ErrorKind.DENIED: "check --endpoint, --endpoint-model and the key in --key-variable",
    ErrorKind.TOO_LARGE: "show it fewer pictures, with --frames, or allow shorter answers, with --answer-tokens",
    ErrorKind.BUSY: "ask again later, or wait longer with --patience",
    ErrorKind.TIMEOUT: "allow more time with --timeout",
    ErrorKind.CONNECTION: "see that it runs and that --endpoint is its address",
    ErrorKind.REJECTED: "change the request with --extra-body",
    ErrorKind.FILTERED: "ask another model where that stays so",
}


class Endpoint:
    """A model behind HTTP: it is shown frames with their times, then asked.

    An optional field of the request that the server refuses by name is left out from then on (the limit of an answer is
    first given its other name), and that is said once. Where a server is busy or fails, it is asked again with pauses,
    as it says in Retry-After or else twice as long each time, until the patience for one question is spent, or after
    `TRIES` in vain where it fails; the next questions are then asked once each, until one is answered.

    Args:
        url: up to and without /chat/completions, as in https://host/v1; user:password@ and ?query are sent along, and
            masked in errors.
        model: the name the server knows it by.
        pictures: the frames of a video.
        key: sent as a bearer token, or "".
        timeout_seconds: for one answer.
        request: what else is asked for.
        patience_seconds: for waiting between tries of one question, all together; 0 asks once.
        say: is told what a user should know while it happens.
        sleep: waits so many seconds.
        clock: seconds since the epoch.

    Raises:
        ConfigError: a timeout that is not finite and above 0, or a patience below 0.
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
            raise ConfigError(f"a patience of {patience_seconds:g} s", "at least 0", "give the seconds to wait")
        self.url, self.model, self.pictures, self.key = url, model, pictures, key.strip()
        self.timeout_seconds, self.patience_seconds = timeout_seconds, patience_seconds
        self._fields = Fields((request or Request()).fields)
        self._say, self._sleep, self._clock = say, sleep, clock
        self._was_reached, self._is_down = False, False
        self._client = httpx2.Client(timeout=timeout_seconds, limits=httpx2.Limits(max_connections=None))

    def watch(self, video: str) -> Ask:
        """Decode the frames once; they are sent with every question."""
        frames = self.pictures(video)
        shown = [part for seconds, jpeg in frames for part in _shown(seconds, jpeg)]
        times = tuple(seconds for seconds, _ in frames)
        return lambda sample: replace(self._ask(sample, shown), frames_seconds=times)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The fields of the request that the server has refused so far."""
        return self._fields.left_out

    def close(self) -> None:
        """Hang up."""
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
            tires = tries + 1 == TRIES and found.kind is not ErrorKind.BUSY
            if not found.may_pass or self._is_down or tires or waited + seconds > self.patience_seconds:
                self._is_down = found.may_pass
                raise self._error(found, tries, seconds if found.retry_after else 0.0)
            if seconds >= _SAID_FROM_SECONDS:
                self._say(f"{masked(self.url)} {found.said[:100]}: asking again in {seconds:.0f} s")
            self._sleep(seconds)
            waited, tries = waited + seconds, tries + 1

    def _once(self, messages: list[dict[str, Any]]) -> Reply | Trouble:
        """What the server makes of a request, without the fields that it refuses.

        Those are given up for good when it has answered without them: an error may name a field and mean another thing.
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
        """Status, headers in lower case, and text of the answer to a request.

        Raises:
            httpx2.ReadTimeout: the answer is not whole in time; the library's own limit is for each piece of it.
        """
        import httpx2

        until = monotonic() + self.timeout_seconds
        whole = b""
        with self._client.stream("POST", address, content=body, headers=headers) as response:
            for part in response.iter_bytes():
                whole += part
                if monotonic() > until:
                    raise httpx2.ReadTimeout("the answer is not whole in time")
        return response.status_code, dict(response.headers), whole.decode(errors="replace")

    def _unreached(self, error: Exception) -> Trouble:
        """A connection that was not made, or broke; where no server ever answered, none is waited for."""
        import httpx2

        if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
            return Trouble(ErrorKind.TIMEOUT, f"was silent for {self.timeout_seconds:g} s")
        broke = isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError)
        may_pass = broke or (self._was_reached and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout))
        return Trouble(ErrorKind.CONNECTION, f"failed ({self._hidden(str(error)) or type(error).__name__})", may_pass)

    def _hidden(self, said: str) -> str:
        """What was said without the key, which some servers repeat."""
        return said.replace(self.key, MASK) if self.key else said

    def _error(self, trouble: Trouble, tries: int, asked_seconds: float) -> AnswererError:
        said = f"{masked(self.url)} {trouble.said}"
        said += f", asked {1 + tries} times" if tries else ""
        said += f", and wants {asked_seconds:.0f} s of patience" if asked_seconds > self.patience_seconds else ""
        remedy = _REMEDIES.get(trouble.kind, "see its log")
        return AnswererError(said, "an OpenAI-compatible chat completion", remedy, trouble.kind)


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
