"""Question families: one file each, behind one interface, in one table."""

from longpanda.longwatch.families.base import Family
from longpanda.longwatch.families.table import FAMILIES, PRACTICE, vocabulary
from longpanda.longwatch.text import normalise, split_words

__all__ = ["FAMILIES", "PRACTICE", "Family", "normalise", "split_words", "vocabulary"]
