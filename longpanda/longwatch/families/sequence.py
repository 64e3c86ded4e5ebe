"""Sequence: cards put in the order of their appearance."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import TitleList
from longpanda.longwatch.families.base import Family, Found, QuestionSpec
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import TITLES


class Sequence(Family):
    """Four cards, named in random order, to be listed in the order of their appearance."""

    name: ClassVar[str] = "sequence"
    chance: ClassVar[float] = 1 / 24
    templates: ClassVar[dict[str, str]] = {"list": "List these cards in the order in which they appeared: {cards}."}
    answers: ClassVar[tuple[str, ...]] = TITLES
    instruction: ClassVar[str] = "Answer with the list alone, separated by commas."
    kind: ClassVar[TitleList] = TitleList(TITLES)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic."""
        return [QuestionSpec("list", {"cards": subject}) for subject in scene.chances(self.name)]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the titles in order."""
        named = fields["cards"].split(", ")
        first = {card.title: card for card in reversed(scene.cards) if card.title in named}
        cards = sorted(first.values(), key=lambda card: card.start_seconds)
        return Found(", ".join(card.title for card in cards), cards)
