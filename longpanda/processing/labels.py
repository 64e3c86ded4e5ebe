"""Converts labels of regions of frames to labels of a model's visual tokens, and of all regions of each frame.

Letters: T frames of a clip, F frames of all clips, r rows and c columns of labels, R = r * c regions, A attributes,
N visual tokens of all frames.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from longpanda.errors import ConfigError
from longpanda.model.configuration import StabConfig, cells_of
from longpanda.types import Example

IGNORED = -100
"""The class of unknown contents, which PyTorch's losses ignore."""


def labels_of(examples: Sequence[Example], stab: StabConfig) -> dict[str, torch.Tensor]:
    """Return the labels of a batch, an empty dict if no example has any.

    Returns:
        cell_labels [N, A], a row for each token of a frame: the labels of the region that contains the whole cell.
        Cells that overlap several regions, frame tokens and split tokens are `IGNORED`.
        region_labels [F, R, A], a row for each region of a frame.

    Raises:
        ConfigError: the number of labelled frames differs from the clip's, regions or attributes differ between
            examples, or labels have more rows or columns than the model has cells.
    """
    shapes = [example.cell_labels.shape[1:] for example in examples if example.cell_labels is not None]
    if not shapes:
        return {}
    each = [_labels(example, shapes[0]) for example in examples]
    tokens = [_of_tokens(*pair, stab) for pair in zip(examples, each, strict=True)]
    regions = [one.reshape(len(one), -1, one.shape[-1]) for one in each]
    joined = {"cell_labels": np.concatenate(tokens), "region_labels": np.concatenate(regions)}
    return {name: torch.from_numpy(labels) for name, labels in joined.items()}


def _labels(example: Example, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return an example's labels [T, r, c, A], all `IGNORED` if it has none. Raises ConfigError as `labels_of`."""
    wanted = (len(example.clip), *shape)
    if example.cell_labels is None:
        return np.full(wanted, IGNORED, np.int64)
    if example.cell_labels.shape != wanted or len(wanted) != 4:
        found = f"cell labels {list(example.cell_labels.shape)}"
        expected = f"{list(wanted)}: frames, rows, columns, attributes"
        raise ConfigError(found, expected, "label every frame of the clip, and all clips of a batch alike")
    return example.cell_labels


def _of_tokens(example: Example, labels: npt.NDArray[np.int64], stab: StabConfig) -> npt.NDArray[np.int64]:
    """Convert labels [T, r, c, A] to one row for each token of a frame. Raises ConfigError as `labels_of`."""
    rows, columns = cells_of(example.clip.frames.shape[1], example.clip.frames.shape[2], stab)
    frames, label_rows, label_columns, attributes = labels.shape
    if rows < label_rows or columns < label_columns:
        found = f"cell labels of {label_rows} x {label_columns} regions for {rows} x {columns} cells"
        raise ConfigError(found, "at least as many cells as regions", "use a larger STAB size, or coarser labels")
    row, row_is_whole = _regions(rows, label_rows)
    column, column_is_whole = _regions(columns, label_columns)
    cells = labels[:, row[:, None], column[None, :]]
    is_whole = row_is_whole[:, None] & column_is_whole[None, :]
    cells = np.where(is_whole[:, :, None], cells, IGNORED)
    if stab.split_tokens:
        cells = np.concatenate([cells, np.full((frames, rows, 1, attributes), IGNORED)], 2)
    frame_token = np.full((frames, 1, attributes), IGNORED)
    return np.concatenate([frame_token, cells.reshape(frames, -1, attributes)], 1).reshape(-1, attributes)


def _regions(cells: int, regions: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return for each cell along one side the region in which it begins, and whether it also ends there."""
    number = np.arange(cells)
    first, last = number * regions // cells, ((number + 1) * regions - 1) // cells
    return first, first == last
