"""Visitors: how many different people came."""

from collections import Counter
from typing import ClassVar

import numpy as np

from longpanda.longwatch.events import Visitor
from longpanda.longwatch.families.base import Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import SIDES

ALL, AGAIN = ("3", "5", "6"), ("0", "1", "3")
"""Possible numbers of different visitors to a side, and of those who come more than once."""


class Visitors(Family):
    """How many different visitors came to a side, and how many of them more than once.

    A visitor is identified by the colour of the clothes and the badge on the back, seen after turning round. Two
    visitors may share either, so neither colours nor badges are enough.
    """

    name: ClassVar[str] = "visitors"
    room: ClassVar[str] = "hall"
    chance: ClassVar[float] = 1 / 3
    templates: ClassVar[dict[str, str]] = {
        "all": "How many different visitors came to the {side} side? Clothes and badge together tell who it is.",
        "again": "How many visitors came to the {side} side more than once? Clothes and badge together tell who it is.",
    }
    answers: ClassVar[tuple[str, ...]] = tuple(str(count) for count in range(10))
    instruction: ClassVar[str] = "Answer with one whole number in digits."
    needs_order: ClassVar[bool] = True
    adds_up: ClassVar[tuple[str, ...]] = ("again",)

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, such as "again left"."""
        asked = [subject.split(" ") for subject in scene.chances(self.name)]
        return [QuestionSpec(template, {"side": side}) for template, side in asked]

    def answers_to(self, template: str) -> tuple[str, ...]:
        """Return the counts that occur in the hall."""
        return ALL if template == "all" else AGAIN

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the count; the evidence is every visit."""
        seen = [one for one in scene.of(Visitor) if one.spot in SIDES[fields["side"]]]
        came = Counter(_who(scene, one) for one in seen if one.badge)
        counted = came if template == "all" else [who for who, times in came.items() if times > 1]
        return Found(str(len(counted)), seen)


def _who(scene: Scene, behind: Visitor) -> tuple[str, str]:
    """Return the colour of the last visitor seen from the front at the same spot, and the badge."""
    fronts = [one for one in scene.of(Visitor) if one.spot == behind.spot and one.colour]
    colours = [one.colour for one in fronts if one.start_seconds <= behind.start_seconds]
    return (colours or [""])[-1], behind.badge
