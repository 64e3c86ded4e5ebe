"""Story: an object passes from person to person."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Slots
from longpanda.longwatch.events import Hold
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, never
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import CARD_COLOURS
from longpanda.types import Facts


def answers_about(people: Sequence[str]) -> tuple[str, ...]:
    """Return all answers about these people; the first and last person differ."""
    return tuple(f"{first}, {most}, {last}" for first, last in permutations(people, 2) for most in people)


class Story(Family):
    """Who had an object first, who had it most often, and who had it last.

    In the hall, one of three people has it three times out of seven, nobody has it twice in a row, and the first and
    last person differ. The most frequent one is first, last or neither, equally often.
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

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:  # noqa: ARG002
        """Return one question per topic, with the names of all who had the object in alphabetical order."""
        people = {thing: sorted({hold.colour for hold in _holds(scene, thing)}) for thing in scene.chances(self.name)}
        return [QuestionSpec("who", {"thing": thing}, Facts(people=tuple(names))) for thing, names in people.items()]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:  # noqa: ARG002
        """Return three colours; the evidence is every time that the object was held."""
        holds = _holds(scene, fields["thing"])
        if not holds:
            return NOTHING
        most = Counter(hold.colour for hold in holds).most_common(1)[0][0]
        return Found(f"{holds[0].colour}, {most}, {holds[-1].colour}", holds)


def _holds(scene: Scene, thing: str) -> list[Hold]:
    return [hold for hold in scene.of(Hold) if hold.thing == thing]
