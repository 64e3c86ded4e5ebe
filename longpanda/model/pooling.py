"""The compressor's poolings: a frame's cells to fewer tokens, and a group's frames to one.

Letters: F frames, C width, M = F * tokens of a frame, n cells of a window, G groups, k frames of a group, P tokens.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from longpanda.model.attention import SingleQueryAttention
from longpanda.model.configuration import TemporalConfig
from longpanda.model.panda_module import PandaModule
from longpanda.shapes import Float

POSITIONS = 4
"""Learned positions along each side of a window; a window with another number of cells interpolates them."""


def windows_of(cells: int, tokens: int) -> list[list[int]]:
    """Return the cells of a row (or column) that each token reads.

    The windows are evenly spread and overlap where necessary. Each has ceil(cells / tokens) cells, every cell is in a
    window, and no window reaches into padding.
    """
    length = math.ceil(cells / tokens)
    room = cells - length
    starts = [(2 * room * token + tokens - 1) // max(1, 2 * (tokens - 1)) for token in range(tokens)]  # rounded
    return [list(range(start, start + length)) for start in starts]


class SpatialPool(PandaModule):
    """Pooling of a frame's cells to at most `config.grid` tokens.

    "mean" averages the cells of a window. "learned" works as STAB does from patches to cells: the mean is the query of
    a multi-head attention over the window's cells and their positions. A token can then hold the contents of several
    cells side by side, where a mean mixes them, for every size and shape of picture. It starts as the mean.
    """

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.config = config
        c = config.width
        self.attention: SingleQueryAttention | None = None
        if config.spatial == "learned" and config.grid is not None:
            self.attention = SingleQueryAttention(c, c // config.head_width, config.head_width**-0.5)
            self.position = nn.Parameter(torch.empty(c, POSITIONS, POSITIONS))
            self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start as the mean: the attention's output projection is zero."""
        if self.attention is not None:
            init.normal_(self.position)
            init.zeros_(self.attention.out.weight)
            init.zeros_(self.attention.out.bias)

    def forward(self, cells: Float[Tensor, "F rows columns C"]) -> Float[Tensor, "F P C"]:
        """Return the tokens of each frame, row by row."""
        frames, *size, c = cells.shape
        grid = self.config.pooled_grid(size[0], size[1])
        if self.attention is None and grid == tuple(size):
            return cells.flatten(1, 2)
        rows, columns = (torch.tensor(windows_of(*pair), device=cells.device) for pair in zip(size, grid, strict=True))
        windows = cells[:, rows[:, None, :, None], columns[None, :, None, :]]  # [F, row, column, n rows, n columns, C]
        shape = (rows.shape[1], columns.shape[1])
        windows = windows.reshape(-1, shape[0] * shape[1], c)
        mean = windows.mean(1)
        if self.attention is not None:
            mean = mean + self.attention.per_cell(mean, self.attention.token_norm(windows) + self._positions(shape))
        return mean.view(frames, -1, c)

    def _positions(self, shape: tuple[int, int]) -> Float[Tensor, "n C"]:
        """Return the position vector of each cell of a window."""
        table = F.interpolate(self.position[None], shape, mode="bilinear", align_corners=True)[0]
        return table.flatten(1).T


class TemporalPool(PandaModule):
    """Pooling of the k frames of a group to one, at each position of the grid: their mean, or a weighted sum.

    The learned weights of each head depend on a frame's tokens and on its place in the group. They start out equal.
    """

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.score: nn.Linear | None = None
        if config.pooling == "learned":
            heads = config.width // config.head_width
            self.norm, self.score = nn.LayerNorm(config.width), nn.Linear(config.width, heads)
            self.place = nn.Parameter(torch.empty(config.pool_frames, 1, heads))
            self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start with equal weights."""
        if self.score is not None:
            init.zeros_(self.score.weight)
            init.zeros_(self.score.bias)
            init.zeros_(self.place)

    def forward(self, tokens: Float[Tensor, "G k P C"]) -> Float[Tensor, "G P C"]:
        """Return one frame for each group. A video's last group may have fewer frames than the others."""
        if self.score is None:
            return tokens.mean(1)
        scores = self.score(self.norm(tokens)) + self.place[: tokens.shape[1]]
        weights = scores.softmax(1)  # [G, k, P, heads]
        by_head = tokens.reshape(*weights.shape, tokens.shape[-1] // weights.shape[-1])
        pooled: Tensor = (weights[..., None] * by_head).sum(1).flatten(2)
        return pooled
