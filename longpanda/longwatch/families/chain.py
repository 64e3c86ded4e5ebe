"""Chain: signs that lead from card to card."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.events import Card
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, never, title_fields
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import NUMBERS


class Chain(Family):
    """The number on the last card of a chain of signs, which may have been shown before the first."""

    name: ClassVar[str] = "chain"
    chance: ClassVar[float] = 1 / len(NUMBERS)
    templates: ClassVar[dict[str, str]] = {
        "last": "Start at the {colour} {shape} and follow the signs. What number is on the last card?"
    }
    answers: ClassVar[tuple[str, ...]] = never(str(number) for number in NUMBERS)

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, the card at which to start."""
        return [QuestionSpec("last", title_fields(title)) for title in scene.chances(self.name)]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return the number on the last card; the evidence is every card of the chain."""
        cards = {card.title: card for card in scene.cards}
        title, path = f"{fields['colour']} {fields['shape']}", list[Card]()
        while title in cards and cards[title] not in path:
            path.append(cards[title])
            title = path[-1].sign
        return Found(str(path[-1].number), path) if path else NOTHING
