"""Needle: one short moment holds the answer."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import NUMBERS
from longpanda.types import Sample


class Needle(Family):
    """The number on a card named by its colour and shape."""

    name: ClassVar[str] = "needle"
    chance: ClassVar[float] = 1 / len(NUMBERS)
    templates: ClassVar[dict[str, str]] = {"number": "What number is on the {colour} {shape}?"}
    answers: ClassVar[tuple[str, ...]] = tuple(str(number) for number in NUMBERS)

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for each card."""
        return [
            self.sample(scene, "number", {"colour": card.colour, "shape": card.shape}, str(card.number), [card])
            for card in scene.cards
        ]
