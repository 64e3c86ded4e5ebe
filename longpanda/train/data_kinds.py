"""The data kinds of training stages, and their interface.

To add a data kind, write a class with the members of `DataKind` and add it to `DATA_KINDS`. Its fields are the fields
of a stage's `data`.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from longpanda.longwatch.examples import LongWatchData
from longpanda.types import Example


class ExampleSource(Protocol):
    """The examples of one stage, in order. The same index gives the same example in every process.

    If the data kind asks questions, every example has one, and if it has labels, every example has labels: processes
    that train together wait for the gradients of all trained parameters.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


class DataKind(Protocol):
    """The data of a stage: a frozen dataclass that validates its fields."""

    @property
    def kind(self) -> str:
        """The name in a recipe: a field with a default and `init=False`."""

    @property
    def asks(self) -> bool:
        """Whether examples have questions."""

    @property
    def label_classes(self) -> Mapping[str, int]:
        """The labelled attributes of each region of a frame with their numbers of classes; empty without labels."""

    @property
    def label_grid(self) -> tuple[int, int]:
        """Rows and columns of the labels of a frame; (1, 1) without labels."""

    def vocabulary(self) -> Iterable[str]:
        """Return all words of questions and answers, for a language model with random weights."""

    def source(self, count: int, number: int, size_px: int) -> ExampleSource:
        """Make the examples of a stage.

        Args:
            count: number of examples.
            number: number of the stage, from 0; no two stages share an example.
            size_px: longer side of the model's frames.
        """


DATA_KINDS: dict[str, type[DataKind]] = {"longwatch": LongWatchData}
"""The data kinds by their names in a recipe."""
