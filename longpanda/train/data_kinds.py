"""The kinds of data that a stage of training may show, and what the trainer asks of each.

Another kind is a class with these members and a name in `DATA_KINDS`; its fields are those of a stage's `data`.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from longpanda.longwatch.examples import LongWatchData
from longpanda.types import Example


class ExampleSource(Protocol):
    """What one stage learns from, in order. The same index gives the same example in every process.

    Where its data asks, every example has a question, and where its data has labels, labels: in training on several
    processes all wait for the gradients of all that learns.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


class DataKind(Protocol):
    """What a stage shows and asks: a frozen dataclass whose fields are checked when it is made."""

    @property
    def kind(self) -> str:
        """Its name in a recipe: a field with a default that is not set when it is made."""

    @property
    def asks(self) -> bool:
        """Whether there are questions to learn from."""

    @property
    def label_classes(self) -> Mapping[str, int]:
        """What each region of a frame is labelled with, and the number of classes of each; empty without labels."""

    @property
    def label_grid(self) -> tuple[int, int]:
        """Rows and columns of the labels of a frame; (1, 1) without labels."""

    def vocabulary(self) -> Iterable[str]:
        """All words of questions and answers, for a language model that starts with random weights."""

    def source(self, count: int, number: int, size_px: int) -> ExampleSource:
        """What a run's `number`-th stage learns from.

        Args:
            count: how many examples.
            number: of the stage, from 0; no two stages share an example.
            size_px: the longer side of the frames that the model looks at.
        """


DATA_KINDS: dict[str, type[DataKind]] = {"longwatch": LongWatchData}
"""By their names in a recipe."""
