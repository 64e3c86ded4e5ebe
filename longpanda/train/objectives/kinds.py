"""The objectives of recipes: their names, weights, and when they are inactive.

To add an objective, write a dataclass like these, add it to `OBJECTIVES`, and write a `Head` that computes its loss.
Nothing here imports torch, because commands without training read recipes, too.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from longpanda.errors import ConfigError
from longpanda.train.data_kinds import DataKind

if TYPE_CHECKING:
    from longpanda.train.objectives.step import Head


@dataclass(frozen=True)
class HeadSizes:
    """Sizes for the head of an objective.

    Args:
        width: channels of visual tokens after the projector.
        label_classes: number of classes of each labelled attribute; empty if no data has labels.
        label_regions: labelled regions of a frame.
        group_tokens: a compressor's tokens of a group of square frames; 0 without a compressor.
        group_frames: frames of such a group.
    """

    width: int
    label_classes: tuple[int, ...]
    label_regions: int
    group_tokens: int
    group_frames: int


@dataclass(frozen=True)
class ObjectiveRecipe(ABC):
    """The base class of objectives in a recipe.

    Args:
        weight: factor on the loss in the sum of a step's losses.

    Raises:
        ConfigError: the weight is negative or not finite.
    """

    weight: float = 1.0
    reads_answers: ClassVar[bool] = False
    """Whether it needs questions and runs the language model."""
    reads_labels: ClassVar[bool] = False
    """Whether it needs labels of the frames' contents."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ConfigError(f"weight={self.weight}", "at least 0", "use weight: 1.0, or leave the objective out")

    @property
    @abstractmethod
    def kind(self) -> str:
        """The name in a recipe: a field with a default and `init=False`."""

    @abstractmethod
    def head(self, sizes: HeadSizes) -> "Head":
        """Make the module that computes the loss."""

    def fits(self, sizes: HeadSizes) -> bool:
        """Return whether a model of these sizes can have the head at all."""
        return bool(sizes.label_classes) or not self.reads_labels

    def is_inactive(self, data: DataKind, frozen: Collection[str], sizes: HeadSizes) -> bool:  # noqa: ARG002 - frozen
        """Return whether the objective is skipped in a stage, because there is nothing for it to train.

        Args:
            data: the stage's data.
            frozen: parts of the model that keep their weights.
            sizes: sizes of the model.
        """
        return (self.reads_answers and not data.asks) or (self.reads_labels and not data.label_classes)


@dataclass(frozen=True)
class AnswersRecipe(ObjectiveRecipe):
    """The cross-entropy of the answers' tokens.

    Args:
        weight: factor on the loss in the sum of a step's losses.
        kind: the name of this objective in a recipe.
    """

    kind: str = field(default="answers", init=False)
    reads_answers = True

    def head(self, sizes: HeadSizes) -> "Head":  # noqa: ARG002 - it has no weights
        """Make the head, which has no weights."""
        from longpanda.train.objectives.answers import Answers

        return Answers()


@dataclass(frozen=True)
class CellProbeRecipe(ObjectiveRecipe):
    """The loss of a linear probe that reads a cell's contents from the front end's token of it.

    It is inactive if the front end is frozen and a compressor follows.

    Args:
        weight: factor on the loss in the sum of a step's losses.
        kind: the name of this objective in a recipe.
    """

    kind: str = field(default="cell_probe", init=False)
    reads_labels = True

    def head(self, sizes: HeadSizes) -> "Head":
        """Make the probe."""
        from longpanda.train.objectives.probes import CellProbe

        return CellProbe(sizes.width, sizes.label_classes)

    def is_inactive(self, data: DataKind, frozen: Collection[str], sizes: HeadSizes) -> bool:
        """Return also whether a compressor follows a frozen STAB."""
        return super().is_inactive(data, frozen, sizes) or (sizes.group_tokens > 0 and "stab" in frozen)


@dataclass(frozen=True)
class GroupProbeRecipe(ObjectiveRecipe):
    """The loss of a linear probe that reads the regions of a group's frames from a compressor's tokens of the group.

    A model without a compressor skips it.

    Args:
        weight: factor on the loss in the sum of a step's losses.
        kind: the name of this objective in a recipe.
    """

    kind: str = field(default="group_probe", init=False)
    reads_labels = True

    def head(self, sizes: HeadSizes) -> "Head":
        """Make the probe."""
        from longpanda.train.objectives.probes import GroupProbe

        return GroupProbe(sizes.width, sizes.label_classes, sizes.group_tokens, sizes.group_frames, sizes.label_regions)

    def fits(self, sizes: HeadSizes) -> bool:
        """Return whether there are labels and a compressor."""
        return super().fits(sizes) and sizes.group_tokens > 0


OBJECTIVES: dict[str, type[ObjectiveRecipe]] = {
    "cell_probe": CellProbeRecipe,
    "group_probe": GroupProbeRecipe,
    "answers": AnswersRecipe,
}
"""The objectives by their names in a recipe, in the order in which a step's losses are added."""
DEFAULT_OBJECTIVES: tuple[ObjectiveRecipe, ...] = (AnswersRecipe(), CellProbeRecipe(), GroupProbeRecipe())
"""The objectives of a stage that names none."""
