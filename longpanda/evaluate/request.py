"""Optional fields of a chat-completions request, some of which a server may refuse."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.types import ANSWER_TOKENS

LIMITS: Final = ("max_tokens", "max_completion_tokens")
"""Names of the field that limits an answer: the old one, which most servers know, and OpenAI's new one."""
_OURS: Final = ("model", "messages", "stream", "n")
"""Fields of a request that a user cannot set."""


@dataclass(frozen=True)
class Request:
    """Settings of every request, in addition to the pictures and the question.

    Args:
        answer_tokens: limit on the length of an answer including its thinking, in tokens.
        limit_field: the server's name of that limit, one of `LIMITS`.
        temperature: sampling temperature; 0 is greedy.
        extra: further fields. A value of None removes a field, also one of the above.

    Raises:
        ConfigError: `answer_tokens` is below 1, `limit_field` is unknown, the temperature is negative or infinite, or
            `extra` has a field that a user cannot set.
    """

    answer_tokens: int = ANSWER_TOKENS
    limit_field: str = LIMITS[0]
    temperature: float = 0.0
    extra: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.answer_tokens < 1:
            raise ConfigError(f"an answer of at most {self.answer_tokens} tokens", "at least 1", "raise answer_tokens")
        if self.limit_field not in LIMITS:
            raise ConfigError(f"a limit called '{self.limit_field}'", " or ".join(LIMITS), "use one of them")
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"a temperature of {self.temperature:g}", "a finite number of at least 0", "change it")
        if ours := sorted({*_OURS} & {*(self.extra or {})}):
            raise ConfigError(f"extra fields '{', '.join(ours)}'", "other fields", "remove them")

    @property
    def fields(self) -> dict[str, Any]:
        """The fields to send."""
        fields = {self.limit_field: self.answer_tokens, "temperature": self.temperature} | (self.extra or {})
        return {name: value for name, value in fields.items() if value is not None}


class Fields:
    """The optional fields of all requests to one server. Fields that the server refuses are omitted from then on.

    The limit on an answer is first tried under its other name. This class is thread-safe.

    Args:
        fields: the initial fields.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.left_out: tuple[str, ...] = ()
        self._fields = dict(fields)
        self._turn = threading.Lock()

    @property
    def sent(self) -> dict[str, Any]:
        """The fields to send now."""
        with self._turn:
            return dict(self._fields)

    def give_up(self, names: Sequence[str]) -> list[str]:
        """Stop sending some fields. Returns one message per field that was still sent."""
        said = []
        with self._turn:
            for name in names:
                if name not in self._fields:
                    continue
                value = self._fields.pop(name)
                self.left_out += (name,)
                others = [one for one in LIMITS if name in LIMITS and one not in (*self._fields, *self.left_out)]
                self._fields |= dict.fromkeys(others, value)
                instead = f"'{others[0]}' is sent instead" if others else "it is omitted from now on"
                said.append(f"refuses '{name}': {instead}")
        return said
