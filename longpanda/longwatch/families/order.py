"""Order: which card came before which."""

from itertools import combinations
from typing import ClassVar

import numpy as np

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.scene import Card, Scene
from longpanda.longwatch.world import CARD_COLOURS, SHAPES
from longpanda.types import Sample


class Order(Family):
    """The first and the last of all cards, and the earlier of two.

    The chance of the family is that of its pairwise questions, the easiest; each sample carries its own.
    """

    name: ClassVar[str] = "order"
    chance: ClassVar[float] = 0.5
    templates: ClassVar[dict[str, str]] = {
        "first": "Which card came first?",
        "last": "Which card came last?",
        "pair": "Which came first, the {colour} {shape} or the {other_colour} {other_shape}?",
    }
    answers: ClassVar[tuple[str, ...]] = tuple(f"{colour} {shape}" for colour in CARD_COLOURS for shape in SHAPES)

    def ask(self, scene: Scene, rng: np.random.Generator) -> list[Sample]:
        """First and last where one card alone is it, and every pair of cards with different starts."""
        cards = scene.cards
        if len(cards) < 2:
            return []
        samples = []
        open_chance = 1 / len(self.answers)
        if cards[0].start_seconds < cards[1].start_seconds:
            samples.append(self.sample(scene, "first", {}, cards[0].title, [cards[0]], chance=open_chance))
        if cards[-2].start_seconds < cards[-1].start_seconds:
            samples.append(self.sample(scene, "last", {}, cards[-1].title, [cards[-1]], chance=open_chance))
        pairs = [(one, two) for one, two in combinations(cards, 2) if one.start_seconds < two.start_seconds]
        return samples + [self._pair(scene, one, two, bool(rng.integers(2))) for one, two in pairs]

    def _pair(self, scene: Scene, earlier: Card, later: Card, swapped: bool) -> Sample:
        one, two = (later, earlier) if swapped else (earlier, later)
        fields = {"colour": one.colour, "shape": one.shape, "other_colour": two.colour, "other_shape": two.shape}
        return self.sample(scene, "pair", fields, earlier.title, [earlier, later])
