"""Easy questions for training only: they teach a tiny model to see before it is asked to remember."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import CARD_COLOURS, LAMP_COLOURS, SHAPES
from longpanda.types import Sample


class ShapeOfColour(Family):
    """The shape of the only card of a colour."""

    name: ClassVar[str] = "shape_of_colour"
    chance: ClassVar[float] = 1 / len(SHAPES)
    templates: ClassVar[dict[str, str]] = {"shape": "Which shape is the {colour} card?"}
    answers: ClassVar[tuple[str, ...]] = SHAPES

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for each colour that exactly one card has."""
        colours = [card.colour for card in scene.cards]
        return [
            self.sample(scene, "shape", {"colour": card.colour}, card.shape, [card])
            for card in scene.cards
            if colours.count(card.colour) == 1
        ]


class ColourOfNumber(Family):
    """The colour of the card with a number; numbers differ within a scene."""

    name: ClassVar[str] = "colour_of_number"
    chance: ClassVar[float] = 1 / len(CARD_COLOURS)
    templates: ClassVar[dict[str, str]] = {"colour": "What colour is the card with number {number}?"}
    answers: ClassVar[tuple[str, ...]] = CARD_COLOURS

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for each card whose number no other card has."""
        numbers = [card.number for card in scene.cards]
        return [
            self.sample(scene, "colour", {"number": str(card.number)}, card.colour, [card])
            for card in scene.cards
            if numbers.count(card.number) == 1
        ]


class CardCount(Family):
    """How many cards there were; only where one digit is enough."""

    name: ClassVar[str] = "card_count"
    chance: ClassVar[float] = 1 / 3
    templates: ClassVar[dict[str, str]] = {"cards": "How many cards were shown?"}
    answers: ClassVar[tuple[str, ...]] = tuple(str(count) for count in range(10))

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for the scene."""
        cards = scene.cards
        return [self.sample(scene, "cards", {}, str(len(cards)), [*cards])] if len(cards) < 10 else []


class LampColour(Family):
    """The colour of the lamp where it had only one; "off" where it never shone."""

    name: ClassVar[str] = "lamp_colour"
    chance: ClassVar[float] = 1 / (len(LAMP_COLOURS) + 1)
    templates: ClassVar[dict[str, str]] = {"lamp": "What colour was the lamp?"}
    answers: ClassVar[tuple[str, ...]] = (*LAMP_COLOURS, "off")

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for a scene with at most one lamp colour."""
        colours = {lamp.colour for lamp in scene.lamps}
        if len(colours) > 1:
            return []
        return [self.sample(scene, "lamp", {}, "".join(colours) or "off", [*scene.lamps])]
