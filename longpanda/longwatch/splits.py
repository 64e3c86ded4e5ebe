"""Which seeds belong to training and which to testing: ranges that cannot overlap."""

from enum import Enum
from typing import Final

from longpanda.errors import ConfigError

SPLIT_SIZE: Final = 2**40
"""Scenes in one split."""


class Split(Enum):
    """The use of a scene; the value is the code in its seed, never to be given to another split."""

    TRAIN = 1
    DEV = 2
    TEST = 3
    DEMO = 4
    PRIVATE = 5


def scene_seed(split: Split, index: int) -> int:
    """The seed of the `index`-th scene of a split: code * 2**40 + index.

    Raises:
        ConfigError: an index outside 0 to 2**40 - 1.
    """
    if not 0 <= index < SPLIT_SIZE:
        raise ConfigError(f"scene index {index}", "0 <= index < 2**40", "number the scenes of a split from 0")
    return split.value * SPLIT_SIZE + index


def split_of(seed: int) -> Split:
    """The split that a seed belongs to.

    Raises:
        ConfigError: a seed that `scene_seed` never gives.
    """
    try:
        return Split(seed // SPLIT_SIZE)
    except ValueError as error:
        raise ConfigError(f"seed {seed}", "a seed of scene_seed(split, index)", "draw seeds with scene_seed") from error
