"""What a chat-completions request asks for beside its messages, and what is left of it where a server refuses some."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.types import ANSWER_TOKENS

LIMITS: Final = ("max_tokens", "max_completion_tokens")
"""What the field is called that bounds an answer: the old name, which most servers know, and OpenAI's new one."""
_OURS: Final = ("model", "messages", "stream", "n")
"""Fields of a request that are not for the user to say."""


@dataclass(frozen=True)
class Request:
    """What every request asks for beside the pictures and the question.

    Args:
        answer_tokens: the longest answer, thinking and all.
        limit_field: what the server calls that, one of `LIMITS`.
        temperature: of sampling; 0 takes the likeliest answer.
        extra: more fields; those that are None are left out, also where they are ours.

    Raises:
        ConfigError: no tokens, an unknown name, a temperature below 0, or a field that is not to be changed.
    """

    answer_tokens: int = ANSWER_TOKENS
    limit_field: str = LIMITS[0]
    temperature: float = 0.0
    extra: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.answer_tokens < 1:
            raise ConfigError(f"an answer of at most {self.answer_tokens} tokens", "at least 1", "allow more")
        if self.limit_field not in LIMITS:
            raise ConfigError(f"a limit called '{self.limit_field}'", " or ".join(LIMITS), "name one of them")
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"a temperature of {self.temperature:g}", "at least 0", "correct it")
        if ours := sorted({*_OURS} & {*(self.extra or {})}):
            raise ConfigError(f"extra fields '{', '.join(ours)}'", "others than these", "leave them out")

    @property
    def fields(self) -> dict[str, Any]:
        """As they are sent."""
        fields = {self.limit_field: self.answer_tokens, "temperature": self.temperature} | (self.extra or {})
        return {name: value for name, value in fields.items() if value is not None}


class Fields:
    """The optional fields of all requests to one server: what it refuses is left out from then on.

    The limit of an answer is first given its other name. Several threads may ask at a time.

    Args:
        fields: to begin with.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.left_out: tuple[str, ...] = ()
        self._fields = dict(fields)
        self._turn = threading.Lock()

    @property
    def sent(self) -> dict[str, Any]:
        """As they are now."""
        with self._turn:
            return dict(self._fields)

    def give_up(self, names: Sequence[str]) -> list[str]:
        """Send some fields no more; returns what to say of those that nobody has given up before."""
        said = []
        with self._turn:
            for name in names:
                if name not in self._fields:
                    continue
                value = self._fields.pop(name)
                self.left_out += (name,)
                others = [one for one in LIMITS if name in LIMITS and one not in (*self._fields, *self.left_out)]
                self._fields |= dict.fromkeys(others, value)
                instead = f"'{others[0]}' is sent instead" if others else "it is left out from now on"
                said.append(f"refuses '{name}': {instead}")
        return said
