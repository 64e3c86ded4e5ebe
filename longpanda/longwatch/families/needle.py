"""Needle: one short moment holds the answer."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family, Found, QuestionSpec, never, number_on, title_fields
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import NUMBERS


class Needle(Family):
    """The number on a card named by its colour and shape."""

    name: ClassVar[str] = "needle"
    chance: ClassVar[float] = 1 / len(NUMBERS)
    templates: ClassVar[dict[str, str]] = {"number": "What number is on the {colour} {shape}?"}
    answers: ClassVar[tuple[str, ...]] = never(str(number) for number in NUMBERS)
    one_look: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, or per card if there are no topics."""
        titles = scene.chances(self.name) or [card.title for card in scene.cards]
        return [QuestionSpec("number", title_fields(title)) for title in titles]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the number."""
        return number_on(scene, fields)
