"""Story: an object goes from hand to hand."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Slots
from longpanda.longwatch.events import Hold
from longpanda.longwatch.families.base import NOTHING, Ask, Family, Found, never
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import CARD_COLOURS
from longpanda.types import Facts


def answers_about(people: Sequence[str]) -> tuple[str, ...]:
    """All answers that name some of these people, the first not the last."""
    return tuple(f"{first}, {most}, {last}" for first, last in permutations(people, 2) for most in people)


class Story(Family):
    """Who had an object first, who had it most often, and who had it last.

    The hall lets one of three people have it three times of seven, nobody twice running, and the first not last: who
    had it most often is any of the three, equally often.
    """

    name: ClassVar[str] = "story"
    room: ClassVar[str] = "hall"
    chance: ClassVar[float] = 1 / (len(list(permutations(CARD_COLOURS, 2))) * 3)
    templates: ClassVar[dict[str, str]] = {
        "who": "Who had the {thing} first, who had it most often, and who had it last? Name their colours."
    }
    answers: ClassVar[tuple[str, ...]] = never(CARD_COLOURS)
    instruction: ClassVar[str] = "Answer with three colours, separated by commas, or with 'never' if nobody had it."
    kind: ClassVar[Slots] = Slots(CARD_COLOURS)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def asks(self, scene: Scene, rng: np.random.Generator) -> list[Ask]:  # noqa: ARG002
        """One question for each topic, with the names of all who had the object, in the order of the alphabet."""
        people = {thing: sorted({hold.colour for hold in _holds(scene, thing)}) for thing in scene.chances(self.name)}
        return [Ask("who", {"thing": thing}, Facts(people=tuple(names))) for thing, names in people.items()]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Three colours; the evidence is every time that somebody had it."""
        holds = _holds(scene, fields["thing"])
        if not holds:
            return NOTHING
        most = Counter(hold.colour for hold in holds).most_common(1)[0][0]
        return Found(f"{holds[0].colour}, {most}, {holds[-1].colour}", holds)


def _holds(scene: Scene, thing: str) -> list[Hold]:
    return [hold for hold in scene.of(Hold) if hold.thing == thing]
