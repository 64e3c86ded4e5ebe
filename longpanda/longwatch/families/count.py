"""Count: how often something happened over the whole video."""

from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import LAMP_COLOURS
from longpanda.types import Sample


class Count(Family):
    """How many times the lamp turned a colour.

    Tests ask about the focus colour only (`metadata["focus"]`), whose count is uniform by construction. The other
    colours, for training, are mostly 0: their samples carry no chance.
    """

    name: ClassVar[str] = "count"
    chance: ClassVar[float] = 1 / 6
    templates: ClassVar[dict[str, str]] = {"lamp": "How many times did the lamp turn {colour}?"}
    answers: ClassVar[tuple[str, ...]] = tuple(str(count) for count in range(10))

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:  # noqa: ARG002
        """One question for each lamp colour; none when no lamp event fits into the video."""
        if scene.focus.max_count == 0:
            return []
        samples = []
        for colour in LAMP_COLOURS:
            shown = [lamp for lamp in scene.lamps if lamp.colour == colour]
            focus = colour == scene.focus.colour
            chance = 1 / (scene.focus.max_count + 1) if focus else None
            samples.append(
                self.sample(scene, "lamp", {"colour": colour}, str(len(shown)), [*shown], focus=focus, chance=chance)
            )
        return samples
