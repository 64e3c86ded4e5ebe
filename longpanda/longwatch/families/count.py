"""Count: how often something happened over the whole video."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import LAMP_COLOURS, OBJECTS
from longpanda.types import Facts


class Count(Family):
    """How many times the lamp turned a colour, or an object appeared.

    Test questions are about the scene's topics only, whose counts are uniform by construction. The counts of other
    colours, which are asked in training, are mostly 0: their samples carry no chance level.
    """

    name: ClassVar[str] = "count"
    chance: ClassVar[float] = 1 / 6
    templates: ClassVar[dict[str, str]] = {
        "lamp": "How many times did the lamp turn {colour}?",
        "object": "How many times did the {thing} appear?",
    }
    answers: ClassVar[tuple[str, ...]] = tuple(str(count) for count in range(10))
    instruction: ClassVar[str] = "Answer with one whole number in digits."
    needs_order: ClassVar[bool] = True
    adds_up: ClassVar[tuple[str, ...]] = ("lamp", "object")

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per lamp colour and per object that is a topic, or none if there are no topics."""
        chances = scene.chances(self.name)
        if not chances:
            return []
        lamps = [QuestionSpec("lamp", {"colour": colour}, _facts(chances, colour)) for colour in LAMP_COLOURS]
        things = [thing for thing in OBJECTS if thing in chances]
        return lamps + [QuestionSpec("object", {"thing": thing}, _facts(chances, thing)) for thing in things]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the count, in digits."""
        if template == "lamp":
            lamps = [lamp for lamp in scene.lamps if lamp.colour == fields["colour"]]
            return Found(str(len(lamps)), lamps)
        moves = [move for move in scene.moves if move.thing == fields["thing"]]
        return Found(str(len(moves)), moves)


def _facts(chances: dict[str, float], subject: str) -> Facts:
    return Facts(chance=chances.get(subject), training_only=subject not in chances)
