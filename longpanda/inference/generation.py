"""How the next token of an answer is chosen, and an answer's text as it is written."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TextStreamer

from longpanda.errors import ConfigError

OnText = Callable[[str], None]
"""Told of each piece of an answer as it is written; pieces joined are the answer."""


@dataclass(frozen=True)
class Generation:
    """Parameters of sampling, under the names that the field gives them.

    Args:
        temperature: logits are divided by it; 0 always takes the likeliest token.
        top_p: tokens are drawn from the fewest that have this probability together (nucleus sampling).
        top_k: tokens are drawn from so many of the likeliest; 0 is all.
        seed: of the drawing, so that the same question gives the same answer; None draws anew each time.

    Raises:
        ConfigError: a value that is out of its range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        holds = {
            "temperature": (0 <= self.temperature < math.inf, "0 (the likeliest token) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (isinstance(self.top_k, int) and self.top_k >= 0, "a whole number of at least 0"),
            "seed": (self.seed is None or (isinstance(self.seed, int) and 0 <= self.seed < 2**63), "0 <= seed < 2**63"),
        }
        for name, (is_right, expected) in holds.items():
            if not is_right:
                raise ConfigError(f"{name}={getattr(self, name)!r}", expected, f"change {name}")

    @property
    def settings(self) -> dict[str, Any]:
        """What transformers' `generate` takes."""
        if not self.temperature:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw by the seed within the block, and leave torch's random numbers behind it as they were."""
        if self.seed is None or not self.temperature:
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            yield


GREEDY = Generation()


class TextPieces(TextStreamer):
    """transformers' streamer that tells somebody of the text, without the blanks before it, rather than print it."""

    def __init__(self, tokenizer: Any, on_text: OnText) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._on_text, self._written, self._blanks = on_text, False, ""

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002 - as transformers calls it
        """Called with each piece; blanks are told once something follows them, as an answer ends without."""
        text = self._blanks + (text if self._written else text.lstrip())
        kept = text.rstrip()
        self._blanks = text[len(kept) :]
        if kept:
            self._written = True
            self._on_text(kept)
