"""Grounding: when something happened."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Span, clock
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, never, title_fields
from longpanda.longwatch.scene import Scene

SHORT_SECONDS = 6.0
"""For a shorter event, rounding to a second could decide whether an interval is right."""


class Grounding(Family):
    """The interval in which a card was on screen."""

    name: ClassVar[str] = "grounding"
    chance: ClassVar[float] = 0.0
    templates: ClassVar[dict[str, str]] = {
        "when": "When was the {colour} {shape} on screen? Answer with its start and its end."
    }
    answers: ClassVar[tuple[str, ...]] = never(["00:00 - 00:00"])
    instruction: ClassVar[str] = "Answer with mm:ss - mm:ss alone, or with 'never' if it was not shown."
    kind: ClassVar[Span] = Span()

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic."""
        return [QuestionSpec("when", title_fields(title)) for title in scene.chances(self.name)]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return start and end to the nearest second, or to the nearest tenth for a short event."""
        for card in scene.cards:
            if (card.colour, card.shape) == (fields["colour"], fields["shape"]):
                return Found(spelled(card.start_seconds, card.end_seconds), [card])
        return NOTHING


def spelled(start_seconds: float, end_seconds: float) -> str:
    """Format an interval as in answers."""
    tenths = end_seconds - start_seconds < SHORT_SECONDS
    return f"{clock(start_seconds, tenths)} - {clock(end_seconds, tenths)}"
