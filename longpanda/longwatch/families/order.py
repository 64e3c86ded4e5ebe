"""Order: which card came before which."""

from itertools import combinations
from typing import ClassVar

import numpy as np

from longpanda.longwatch.answers import Choice
from longpanda.longwatch.families.base import NOTHING, Family, Found, QuestionSpec, title_fields
from longpanda.longwatch.scene import Scene
from longpanda.longwatch.world import TITLES
from longpanda.types import Facts


class Order(Family):
    """The first and the last of all cards, and the earlier of two.

    The chance level of the family is that of its pairwise questions, the easiest; each sample carries its own.
    """

    name: ClassVar[str] = "order"
    chance: ClassVar[float] = 0.5
    templates: ClassVar[dict[str, str]] = {
        "first": "Which card came first?",
        "last": "Which card came last?",
        "pair": "Which came first, the {colour} {shape} or the {other_colour} {other_shape}?",
    }
    answers: ClassVar[tuple[str, ...]] = TITLES
    instruction: ClassVar[str] = "Answer with the name of one card alone, such as 'red circle'."
    kind: ClassVar[Choice] = Choice(TITLES)
    needs_order: ClassVar[bool] = True
    needs_direction: ClassVar[bool] = True

    def question_specs(self, scene: Scene, rng: np.random.Generator) -> list[QuestionSpec]:
        """Return the pairs that are topics; without topics, all pairs, and the first and last card if unique."""
        if topics := scene.chances(self.name):
            return [_pair(*subject.split(", ")) for subject in topics]
        cards, specs = scene.cards, []
        if len(cards) < 2:
            return []
        facts = Facts(chance=1 / len(self.answers))
        if cards[0].start_seconds < cards[1].start_seconds:
            specs.append(QuestionSpec("first", {}, facts))
        if cards[-2].start_seconds < cards[-1].start_seconds:
            specs.append(QuestionSpec("last", {}, facts))
        pairs = [(one, two) for one, two in combinations(cards, 2) if one.start_seconds < two.start_seconds]
        swaps = [bool(rng.integers(2)) for _ in pairs]
        named = [(two, one) if swap else (one, two) for (one, two), swap in zip(pairs, swaps, strict=True)]
        return specs + [_pair(one.title, two.title) for one, two in named]

    def answer(self, scene: Scene, template: str, fields: dict[str, str]) -> Found:
        """Return the title; the evidence of a pair is both cards."""
        cards = list(scene.cards)
        if template == "pair":
            named = (f"{fields['colour']} {fields['shape']}", f"{fields['other_colour']} {fields['other_shape']}")
            cards = [card for card in cards if card.title in named]
            return Found(cards[0].title, cards) if cards else NOTHING
        chosen = cards[:1] if template == "first" else cards[-1:]
        return Found(chosen[0].title, chosen) if chosen else NOTHING


def _pair(one: str, other: str) -> QuestionSpec:
    others = {f"other_{key}": value for key, value in title_fields(other).items()}
    return QuestionSpec("pair", title_fields(one) | others)
