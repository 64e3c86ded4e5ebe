"""Pooling of the temporal compressor: a frame's cells to fewer tokens, and a group's frames to one.

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
"""Places along each side of a window that are learned; a window of more or fewer cells interpolates between them."""


def windows_of(cells: int, tokens: int) -> list[list[int]]:
    """Which cells of a row (or column) each token reads: windows of one length, evenly spread, overlapping if need be.

    Every cell is in a window, and a window never reads padding: ceil(cells / tokens) cells each.
    """
    length = math.ceil(cells / tokens)
    room = cells - length
    starts = [(2 * room * token + tokens - 1) // max(1, 2 * (tokens - 1)) for token in range(tokens)]  # rounded
    return [list(range(start, start + length)) for start in starts]


class SpatialPool(PandaModule):
    """A frame's cells to at most `config.grid` tokens.

    "mean" is that of a window's cells. "learned" goes on as STAB does from patches to cells: the mean asks the window's
    cells, which know their places in it, with a head of its own for each C / heads of the channels. So a token can
    hold what several cells show side by side, where their mean would hold a mixture; and it works for every size and
    shape of picture. It starts as the mean.
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
        """No output of the attention; leaves alone what transformers has loaded."""
        if self.attention is not None:
            init.normal_(self.position)
            init.zeros_(self.attention.out.weight)
            init.zeros_(self.attention.out.bias)

    def forward(self, cells: Float[Tensor, "F rows columns C"]) -> Float[Tensor, "F P C"]:
        """Tokens of each frame, row by row."""
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
            mean = mean + self.attention.per_cell(mean, self.attention.token_norm(windows) + self._places(shape))
        return mean.view(frames, -1, c)

    def _places(self, shape: tuple[int, int]) -> Float[Tensor, "n C"]:
        """A vector for each place of a window."""
        table = F.interpolate(self.position[None], shape, mode="bilinear", align_corners=True)[0]
        return table.flatten(1).T


class TemporalPool(PandaModule):
    """The k frames of a group to one, at each place: their mean, or weights of each head from what the frames show.

    Learned weights also know a frame's place in its group, and start out equal.
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
        """Equal weights; leaves alone what transformers has loaded."""
        if self.score is not None:
            init.zeros_(self.score.weight)
            init.zeros_(self.score.bias)
            init.zeros_(self.place)

    def forward(self, tokens: Float[Tensor, "G k P C"]) -> Float[Tensor, "G P C"]:
        """One frame for each group; a last group may have fewer frames than the others would."""
        if self.score is None:
            return tokens.mean(1)
        scores = self.score(self.norm(tokens)) + self.place[: tokens.shape[1]]
        weights = scores.softmax(1)  # [G, k, P, heads]
        by_head = tokens.reshape(*weights.shape, tokens.shape[-1] // weights.shape[-1])
        pooled: Tensor = (weights[..., None] * by_head).sum(1).flatten(2)
        return pooled
