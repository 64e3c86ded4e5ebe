"""Checks that examples are what their data kind declares. Otherwise a stage would train on less, or on something else.

Letters: T frames of a clip, A labelled attributes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from longpanda.errors import ConfigError, counted
from longpanda.processing.labels import IGNORED
from longpanda.train.data_kinds import DataKind
from longpanda.types import Conversation, Example


def check_count(source: Any, count: int, stage: str) -> None:
    """Check that a source has enough examples for a stage. transformers' Trainer would repeat them silently.

    Raises:
        ConfigError: it has fewer than `count`, or is no sequence.
    """
    if not hasattr(source, "__len__") or not hasattr(source, "__getitem__"):
        found = f"examples of type {type(source).__name__} for stage '{stage}'"
        raise ConfigError(found, "a sequence with a length", "return a list, or an ExampleSource")
    if len(source) < count:
        found = f"{counted(len(source), 'example')} for stage '{stage}'"
        raise ConfigError(found, f"{count:,}, one for each step, clip and process", "return more, or train fewer steps")


def check_example(example: Any, data: DataKind, stage: str, is_labelled: bool) -> None:
    """Check one example of a stage.

    Args:
        example: what the source returned.
        data: the stage's data.
        stage: name of the stage.
        is_labelled: an objective of the stage reads labels; otherwise they are not checked.

    Raises:
        ConfigError: it is no `Example` or `Pack`, an answer is empty, or questions or labels are not as the data
            declares them.
    """
    where = f"of stage '{stage}'"
    if isinstance(example, tuple) and all(isinstance(one, Conversation) for one in example):
        return  # conversations were checked when they were read from their records
    if not isinstance(example, Example):
        found = f"an example {where} of type {type(example).__name__}"
        raise ConfigError(found, "an Example, or a tuple of Conversations", "return one of these")
    if bool(example.samples) != data.asks:
        found = f"an example {where} with {counted(len(example.samples), 'question')}"
        expected = "at least one, as `asks` of its data says" if data.asks else "none, as `asks` of its data says"
        raise ConfigError(found, expected, "return examples as declared, or change `asks`")
    for sample in example.samples:
        if not sample.target.strip():
            found = f"an example {where} with an empty answer to {sample.question!r}"
            raise ConfigError(found, "some text", "leave the question out")
    if is_labelled:
        _check_labels(example, data.label_classes, data.label_grid, where)


def _check_labels(example: Example, classes: Mapping[str, int], grid: tuple[int, int], where: str) -> None:
    """Raise ConfigError if labels are missing, are not declared, or have another shape or type."""
    labels = example.cell_labels
    wanted = [len(example.clip), *grid, len(classes)] if classes else None
    found = None if labels is None else [*labels.shape]
    if found != wanted:
        what = "no labels" if found is None else f"labels {found}"
        expected = "none" if wanted is None else f"{wanted}: frames, then label_grid, then attributes"
        remedy = "label every example as declared, or change label_classes and label_grid"
        raise ConfigError(f"an example {where} with {what}", f"{expected}, as its data declares", remedy)
    if labels is not None:
        _check_classes(labels, classes, where)


def _check_classes(labels: npt.NDArray[np.int64], classes: Mapping[str, int], where: str) -> None:
    """Raise ConfigError if labels [T, rows, columns, A] are not int64, or a class is out of range."""
    if labels.dtype != np.int64:
        raise ConfigError(f"an example {where} with labels of {labels.dtype}", "int64", "convert them")
    for number, (name, count) in enumerate(classes.items()):
        column = labels[..., number]
        wrong = column[((column < 0) & (column != IGNORED)) | (column >= count)]
        if wrong.size:
            found = f"an example {where} with label {wrong[0]} of attribute '{name}'"
            expected = f"0 to {count - 1}, or {IGNORED} where it is unknown"
            raise ConfigError(found, expected, "correct the labels, or change label_classes")
