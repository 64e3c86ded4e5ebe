"""All families by name, and the closed list of words they use."""

from typing import Final

from longpanda.longwatch import world
from longpanda.longwatch.families.base import Family
from longpanda.longwatch.families.chain import Chain
from longpanda.longwatch.families.count import Count
from longpanda.longwatch.families.grounding import Grounding
from longpanda.longwatch.families.multikey import Multikey
from longpanda.longwatch.families.needle import Needle
from longpanda.longwatch.families.order import Order
from longpanda.longwatch.families.practice import CardCount, ColourOfNumber, LampColour, ShapeOfColour
from longpanda.longwatch.families.sequence import Sequence
from longpanda.longwatch.families.state import State

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (Needle(), Order(), Count(), State(), Multikey(), Chain(), Sequence(), Grounding())
}
"""What the benchmark asks."""

PRACTICE: Final[dict[str, Family]] = {
    family.name: family for family in (ShapeOfColour(), ColourOfNumber(), CardCount(), LampColour())
}
"""What only training asks."""


def vocabulary() -> tuple[str, ...]:
    """Every word, digit and punctuation mark of any question or answer, sorted, in lower case."""
    words = {*world.CARD_COLOURS, *world.LAMP_COLOURS, *world.SHAPES, *world.OBJECTS, *world.PLACES, *"0123456789"}
    for family in (*FAMILIES.values(), *PRACTICE.values()):
        words |= family.words()
    return tuple(sorted(words))
