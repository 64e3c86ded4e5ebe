"""Splits: disjoint ranges of seeds for training and testing."""

from enum import Enum
from typing import Final

from longpanda.errors import ConfigError

SPLIT_SIZE: Final = 2**40
"""Number of scenes in a split."""


class Split(Enum):
    """The use of a scene. The value is part of its seed, so no other split may ever reuse it."""

    TRAIN = 1
    DEV = 2
    TEST = 3
    DEMO = 4
    PRIVATE = 5


def scene_seed(split: Split, index: int) -> int:
    """Return the seed of the `index`-th scene of a split: value * 2**40 + index.

    Raises:
        ConfigError: the index is outside 0 to 2**40 - 1.
    """
    if not 0 <= index < SPLIT_SIZE:
        raise ConfigError(f"scene index {index}", "0 <= index < 2**40", "number the scenes of a split from 0")
    return split.value * SPLIT_SIZE + index


def split_of(seed: int) -> Split:
    """Return the split that a seed belongs to.

    Raises:
        ConfigError: the seed belongs to no split.
    """
    try:
        return Split(seed // SPLIT_SIZE)
    except ValueError as error:
        raise ConfigError(f"seed {seed}", "a seed of scene_seed(split, index)", "draw seeds with scene_seed") from error
