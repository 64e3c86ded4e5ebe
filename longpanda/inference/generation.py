"""Sampling parameters of answers, and streaming of their text."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TextStreamer

from longpanda.errors import ConfigError

OnText = Callable[[str], None]
"""Called with each piece of an answer as it is generated; the joined pieces are the answer."""


@dataclass(frozen=True)
class Generation:
    """Sampling parameters.

    Args:
        temperature: divisor of the logits; 0 always takes the likeliest token.
        top_p: tokens are drawn from the fewest with this total probability (nucleus sampling).
        top_k: number of likeliest tokens to draw from; 0 is all.
        seed: seed of the draws, with which the same question gives the same answer; None draws anew each time.

    Raises:
        ConfigError: a value out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        checks = {
            "temperature": (0 <= self.temperature < math.inf, "0 (the likeliest token) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (isinstance(self.top_k, int) and self.top_k >= 0, "a whole number of at least 0"),
            "seed": (self.seed is None or (isinstance(self.seed, int) and 0 <= self.seed < 2**63), "0 <= seed < 2**63"),
        }
        for name, (is_valid, expected) in checks.items():
            if not is_valid:
                raise ConfigError(f"{name}={getattr(self, name)!r}", expected, f"change {name}")

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments for transformers' `generate`."""
        if not self.temperature:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Seed torch within the block, and restore its random state afterwards."""
        if self.seed is None or not self.temperature:
            yield
            return
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            yield


GREEDY = Generation()


class TextPieces(TextStreamer):
    """A transformers streamer that passes stripped text to a callback instead of printing it."""

    def __init__(self, tokenizer: Any, on_text: OnText) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._on_text, self._written, self._blanks = on_text, False, ""

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002 - as transformers calls it
        """Pass on a piece of text, with trailing blanks held back until something follows them."""
        text = self._blanks + (text if self._written else text.lstrip())
        kept = text.rstrip()
        self._blanks = text[len(kept) :]
        if kept:
            self._written = True
            self._on_text(kept)
