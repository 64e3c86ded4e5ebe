"""Easy questions for training only: they teach a tiny model to see before it must remember."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Choice
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import CARD_COLOURS, LAMP_COLOURS, SHAPES


class ShapeOfColour(Family):
    """The shape of the only card of a colour."""

    name: ClassVar[str] = "shape_of_colour"
    chance: ClassVar[float] = 1 / len(SHAPES)
    templates: ClassVar[dict[str, str]] = {"shape": "Which shape is the {colour} card?"}
    answers: ClassVar[tuple[str, ...]] = SHAPES
    kind: ClassVar[Choice] = Choice(SHAPES)

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per colour that exactly one card has."""
        colours = [card.colour for card in scene.cards]
        return [QuestionSpec("shape", {"colour": colour}) for colour in colours if colours.count(colour) == 1]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the shape."""
        return next((Found(card.shape, [card]) for card in scene.cards if card.colour == fields["colour"]), NOTHING)


class ColourOfNumber(Family):
    """The colour of the card with a given number."""

    name: ClassVar[str] = "colour_of_number"
    chance: ClassVar[float] = 1 / len(CARD_COLOURS)
    templates: ClassVar[dict[str, str]] = {"colour": "What colour is the card with number {number}?"}
    answers: ClassVar[tuple[str, ...]] = CARD_COLOURS
    kind: ClassVar[Choice] = Choice(CARD_COLOURS)

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per card whose number no other card has."""
        numbers = [card.number for card in scene.cards]
        return [QuestionSpec("colour", {"number": str(number)}) for number in numbers if numbers.count(number) == 1]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the colour."""
        cards = [card for card in scene.cards if str(card.number) == fields["number"]]
        return Found(cards[0].colour, cards) if cards else NOTHING


class CardCount(Family):
    """The number of cards, if it is below ten."""

    name: ClassVar[str] = "card_count"
    chance: ClassVar[float] = 1 / 3
    templates: ClassVar[dict[str, str]] = {"cards": "How many cards were shown?"}
    answers: ClassVar[tuple[str, ...]] = tuple(str(count) for count in range(10))

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question for the scene."""
        return [QuestionSpec("cards", {})] if len(scene.cards) < 10 else []

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the count, in digits."""
        return Found(str(len(scene.cards)), scene.cards)


class LampColour(Family):
    """The colour of the lamp if it had only one, or "off" if it never shone."""

    name: ClassVar[str] = "lamp_colour"
    chance: ClassVar[float] = 1 / (len(LAMP_COLOURS) + 1)
    templates: ClassVar[dict[str, str]] = {"lamp": "What colour was the lamp?"}
    answers: ClassVar[tuple[str, ...]] = (*LAMP_COLOURS, "off")
    kind: ClassVar[Choice] = Choice((*LAMP_COLOURS, "off"))

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question for a scene with at most one lamp colour."""
        return [QuestionSpec("lamp", {})] if len({lamp.colour for lamp in scene.lamps}) <= 1 else []

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the colour."""
        return Found(scene.lamps[0].colour if scene.lamps else "off", scene.lamps)
