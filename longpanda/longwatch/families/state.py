"""State: where something is after everything that happened."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import OBJECTS, PLACES
from longpanda.types import Sample


class State(Family):
    """The box in which an object is at the end: that of its last move."""

    name: ClassVar[str] = "state"
    chance: ClassVar[float] = 1 / len(PLACES)
    templates: ClassVar[dict[str, str]] = {"place": "Where is the {thing} at the end?"}
    answers: ClassVar[tuple[str, ...]] = PLACES

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for each object that was seen."""
        samples = []
        for thing in OBJECTS:
            moves = [move for move in scene.moves if move.thing == thing]
            if moves:
                last = moves[-1]
                samples.append(self.sample(scene, "place", {"thing": thing}, last.place, [last], moves=len(moves)))
        return samples
