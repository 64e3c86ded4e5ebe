"""Multi-key: a card among others that differ from it by colour alone or by shape alone."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family, Found, QuestionSpec, never, number_on, title_fields
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import NUMBERS


class Multikey(Family):
    """The number on a card that shares its colour with one card of the video and its shape with another.

    Colour alone or shape alone leads to the numbers of other cards. One title is never shown, although its colour and
    its shape are, on different cards.
    """

    name: ClassVar[str] = "multikey"
    chance: ClassVar[float] = 1 / len(NUMBERS)
    templates: ClassVar[dict[str, str]] = {"number": "Which number was shown on the {colour} {shape}?"}
    answers: ClassVar[tuple[str, ...]] = never(str(number) for number in NUMBERS)
    one_look: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic."""
        return [QuestionSpec("number", title_fields(title)) for title in scene.chances(self.name)]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the number."""
        return number_on(scene, fields)
