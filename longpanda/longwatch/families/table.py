"""All families by name, and the closed list of words that they use."""

from typing import Final

from longpanda.longwatch import world
from longpanda.longwatch.families.base import Family
from longpanda.longwatch.families.causal import Causal
from longpanda.longwatch.families.chain import Chain
from longpanda.longwatch.families.count import Count
from longpanda.longwatch.families.grounding import Grounding
from longpanda.longwatch.families.multikey import Multikey
from longpanda.longwatch.families.needle import Needle
from longpanda.longwatch.families.order import Order
from longpanda.longwatch.families.practice import CardCount, ColourOfNumber, LampColour, ShapeOfColour
from longpanda.longwatch.families.rate import Rate
from longpanda.longwatch.families.sequence import Sequence
from longpanda.longwatch.families.state import State
from longpanda.longwatch.families.story import Story
from longpanda.longwatch.families.visitors import Visitors
from longpanda.longwatch.families.words import Text

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (
        *(Needle(), Multikey(), Chain(), Grounding(), Count(), Order(), Sequence(), State()),
        *(Causal(), Rate(), Text()),
        *(Visitors(), Story()),
    )
}
"""The families of the benchmark."""

PRACTICE: Final[dict[str, Family]] = {
    family.name: family for family in (ShapeOfColour(), ColourOfNumber(), CardCount(), LampColour())
}
"""Families for training only."""


def vocabulary() -> tuple[str, ...]:
    """Return every word, digit and punctuation mark of any question or answer, in lower case, sorted."""
    lists = (world.WORDS, world.LEVERS, world.SIDES, ("lit", "dark"), world.CARD_COLOURS, world.LAMP_COLOURS)
    words = {word for names in (*lists, world.SHAPES, world.OBJECTS, world.PLACES, "0123456789") for word in names}
    for family in (*FAMILIES.values(), *PRACTICE.values()):
        words |= family.words()
    return tuple(sorted(words))
