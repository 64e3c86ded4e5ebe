"""The objectives that a recipe may name, as it writes them: what each is called, its weight, and when it rests.

Another objective is a dataclass as these are, a line in `OBJECTIVES`, and a `Head` that computes its loss. Nothing here
loads torch: recipes are read by commands that train nothing.
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
    """What the head of an objective has to fit.

    Args:
        width: channels of visual tokens behind the projector.
        label_classes: number of classes of each labelled attribute; empty where no data has labels.
        label_regions: regions of a frame that are labelled.
        group_tokens: tokens that a compressor leaves of a group of square frames; 0 without a compressor.
        group_frames: frames of such a group.
    """

    width: int
    label_classes: tuple[int, ...]
    label_regions: int
    group_tokens: int
    group_frames: int


@dataclass(frozen=True)
class ObjectiveRecipe(ABC):
    """What every objective has.

    Args:
        weight: of its loss in the sum of a step's losses.

    Raises:
        ConfigError: a negative weight, or one that is no number.
    """

    weight: float = 1.0
    reads_answers: ClassVar[bool] = False
    """It needs questions, and runs the language model."""
    reads_labels: ClassVar[bool] = False
    """It needs labels of what the frames show."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ConfigError(f"weight={self.weight}", "at least 0", "correct weight, or leave the objective out")

    @property
    @abstractmethod
    def kind(self) -> str:
        """Its name in a recipe: a field with a default that is not set when it is made."""

    @abstractmethod
    def head(self, sizes: HeadSizes) -> "Head":
        """The module that computes its loss."""

    def fits(self, sizes: HeadSizes) -> bool:
        """Whether a model of these sizes has a head for it at all."""
        return bool(sizes.label_classes) or not self.reads_labels

    def rests(self, data: DataKind, frozen: Collection[str], sizes: HeadSizes) -> bool:  # noqa: ARG002 - of all kinds
        """Whether there is nothing that it could teach in a stage, though it fits.

        Args:
            data: what the stage shows.
            frozen: parts of the model that keep their weights.
            sizes: of the model.
        """
        return (self.reads_answers and not data.asks) or (self.reads_labels and not data.label_classes)


@dataclass(frozen=True)
class AnswersRecipe(ObjectiveRecipe):
    """Right answers: the cross-entropy of their tokens.

    Args:
        weight: of its loss in the sum of a step's losses.
        kind: how a recipe names this objective.
    """

    kind: str = field(default="answers", init=False)
    reads_answers = True

    def head(self, sizes: HeadSizes) -> "Head":  # noqa: ARG002 - it has no weights
        """Without weights."""
        from longpanda.train.objectives.answers import Answers

        return Answers()


@dataclass(frozen=True)
class CellProbeRecipe(ObjectiveRecipe):
    """What each cell shows, read by a linear probe from the front end's own token of it.

    It rests behind a front end that keeps its weights, where a compressor follows.

    Args:
        weight: of its loss in the sum of a step's losses.
        kind: how a recipe names this objective.
    """

    kind: str = field(default="cell_probe", init=False)
    reads_labels = True

    def head(self, sizes: HeadSizes) -> "Head":
        """The probe."""
        from longpanda.train.objectives.probes import CellProbe

        return CellProbe(sizes.width, sizes.label_classes)

    def rests(self, data: DataKind, frozen: Collection[str], sizes: HeadSizes) -> bool:
        """Also where a compressor stands behind a STAB that learns nothing."""
        return super().rests(data, frozen, sizes) or (sizes.group_tokens > 0 and "stab" in frozen)


@dataclass(frozen=True)
class GroupProbeRecipe(ObjectiveRecipe):
    """What all regions of all frames of a group show, read from the tokens that a compressor leaves of the group.

    It rests in a model without a compressor.

    Args:
        weight: of its loss in the sum of a step's losses.
        kind: how a recipe names this objective.
    """

    kind: str = field(default="group_probe", init=False)
    reads_labels = True

    def head(self, sizes: HeadSizes) -> "Head":
        """The probe."""
        from longpanda.train.objectives.probes import GroupProbe

        return GroupProbe(sizes.width, sizes.label_classes, sizes.group_tokens, sizes.group_frames, sizes.label_regions)

    def fits(self, sizes: HeadSizes) -> bool:
        """Only behind a compressor."""
        return super().fits(sizes) and sizes.group_tokens > 0


OBJECTIVES: dict[str, type[ObjectiveRecipe]] = {
    "cell_probe": CellProbeRecipe,
    "group_probe": GroupProbeRecipe,
    "answers": AnswersRecipe,
}
"""By their names in a recipe, in the order in which a step's losses are added up."""
DEFAULT_OBJECTIVES: tuple[ObjectiveRecipe, ...] = (AnswersRecipe(), CellProbeRecipe(), GroupProbeRecipe())
"""Of a stage that names none; what cannot teach anything there rests."""
