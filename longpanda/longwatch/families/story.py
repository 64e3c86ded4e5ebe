"""Story: an object goes from hand to hand."""

from collections import Counter
from itertools import combinations
from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Slots
from longpanda.longwatch.events import Hold
from longpanda.longwatch.families.base import NOTHING, Ask, Family, Found, never
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import CARD_COLOURS


def answers_about(one: str, other: str) -> tuple[str, ...]:
    """All answers that name two people: who was first and who last, and which of them had it most often."""
    ends = ((one, other), (other, one))
    return tuple(f"{first}, {most}, {last}" for first, last in ends for most in (one, other))


class Story(Family):
    """Who had an object first, who had it most often, and who had it last.

    The hall lets somebody have it three times of six, never twice running, and the first not last: who had it most
    often is one of the other two, and each of the answers that this leaves is as likely.
    """

    name: ClassVar[str] = "story"
    room: ClassVar[str] = "hall"
    chance: ClassVar[float] = 1 / sum(len(answers_about(*pair)) for pair in combinations(CARD_COLOURS, 2))
    templates: ClassVar[dict[str, str]] = {
        "who": "Who had the {thing} first, who had it most often, and who had it last? Name their colours."
    }
    answers: ClassVar[tuple[str, ...]] = never(CARD_COLOURS)
    instruction: ClassVar[str] = "Answer with three colours, separated by commas, or with 'never' if nobody had it."
    kind: ClassVar[Slots] = Slots(CARD_COLOURS)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def asks(self, scene: Scene, rng: np.random.Generator) -> list[Ask]:  # noqa: ARG002
        """One question for each topic."""
        return [Ask("who", {"thing": thing}) for thing in scene.chances(self.name)]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Three colours; the evidence is every time that somebody had it."""
        holds = [hold for hold in scene.of(Hold) if hold.thing == fields["thing"]]
        if not holds:
            return NOTHING
        most = Counter(hold.colour for hold in holds).most_common(1)[0][0]
        return Found(f"{holds[0].colour}, {most}, {holds[-1].colour}", holds)
