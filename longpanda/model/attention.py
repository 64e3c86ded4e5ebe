"""The attentions of STAB, each with a single query, so that no token is ever projected to a key or a value.

With one query q per head,

    q . (Wk x) = (Wk^T q) . x        and        sum_j p_j (Wv x_j) = Wv (sum_j p_j x_j),

so scores and pooling run on the normalised tokens themselves.

Letters: C channels, M cells of all frames, K patches of a cell, G groups, N tokens, d channels of a head.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import initialization as init

from longpanda.model.configuration import StabConfig
from longpanda.model.panda_module import PandaModule
from longpanda.shapes import Bool, Float

FOLDED_BYTES = 8 << 20
"""On CPU, LSD's folded queries (heads * C numbers per cell) are kept to blocks of this size, which stay in cache."""


class FoldedLinear(PandaModule):
    """A linear map whose weights are folded into other operations, so its own forward rarely runs.

    It is not an nn.Linear because adapters and quantisers replace an nn.Linear with a module that only has a forward;
    here they would be ignored or break.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-1, 1) * inputs**-0.5)
        self.bias: Any = nn.Parameter(torch.zeros(outputs)) if bias else None

    def reset_parameters(self, std: float = 0.02) -> None:
        """Initialise as transformers does an nn.Linear: normal weights of this standard deviation, zero bias."""
        init.normal_(self.weight, std=std)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """Apply the map directly, as the plain form does."""
        return F.linear(x, self.weight, self.bias)


class SingleQueryAttention(nn.Module):
    """Attention of one query to tokens x that never computes keys and values for all of x.

    Args:
        width: channels C.
        heads: attention heads.
        scale: factor on the scores.
    """

    def __init__(self, width: int, heads: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale
        self.query_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.token_norm = nn.LayerNorm(width)
        self.key = FoldedLinear(width, width, bias=False)
        self.value = FoldedLinear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(
        self, query: Float[Tensor, " C"], tokens: Float[Tensor, "G N C"], mask: Bool[Tensor, "G N"] | None
    ) -> Float[Tensor, "G C"]:
        """Attend with one constant query to all tokens of each group (a frame's cells)."""
        x = self.token_norm(tokens)
        q = self.query(self.query_norm(query)).view(self.heads, -1)
        folded = torch.einsum("hd,hdc->hc", q, self.key.weight.view(self.heads, -1, query.shape[-1]))
        pooled = _pool(x, x @ (folded * self.scale).to(x.dtype).T, mask)
        value = self.value.weight.view(self.heads, -1, query.shape[-1])
        out: Tensor = self.out(torch.einsum("ghc,hdc->ghd", pooled, value).flatten(1))
        return out

    def per_cell(self, queries: Float[Tensor, "M C"], tokens: Float[Tensor, "M K C"]) -> Float[Tensor, "M C"]:
        """Attend with a separate query to the tokens of each cell, which are already normalised."""
        q = self.query(self.query_norm(queries)) * self.scale
        cells = q.shape[0]
        if q.device.type == "cpu":
            cells = max(1, FOLDED_BYTES // (self.heads * q.shape[1] * q.element_size()))
        blocks = [
            self._read_cells(*block) for block in zip(torch.split(q, cells), torch.split(tokens, cells), strict=True)
        ]
        out: Tensor = self.out(torch.cat(blocks) if len(blocks) > 1 else blocks[0])
        return out

    def _read_cells(self, q: Float[Tensor, "M C"], tokens: Float[Tensor, "M K C"]) -> Float[Tensor, "M C"]:
        m, c = q.shape
        key, value = (weight.view(self.heads, -1, c) for weight in (self.key.weight, self.value.weight))
        folded = torch.bmm(q.view(m, self.heads, -1).transpose(0, 1), key).transpose(0, 1)  # [M, heads, C]
        weights = torch.bmm(folded, tokens.transpose(1, 2)).softmax(-1).to(tokens.dtype)
        pooled = torch.bmm(weights, tokens).transpose(0, 1)  # [heads, M, C]
        return torch.bmm(pooled, value.transpose(1, 2)).transpose(0, 1).reshape(m, c)


def _pool(
    tokens: Float[Tensor, "G N C"], scores: Float[Tensor, "G N heads"], mask: Bool[Tensor, "G N"] | None
) -> Float[Tensor, "G heads C"]:
    """Return the sums of tokens weighted by the softmax of scores over N."""
    if mask is not None:
        scores = scores.masked_fill(~mask[..., None], torch.finfo(scores.dtype).min)
    return torch.bmm(scores.softmax(1).to(tokens.dtype).transpose(1, 2), tokens)


class VideoToken(PandaModule):
    """GSTRA: one learned query reads all patches of a window (SPEC 3.4)."""

    def __init__(self, config: StabConfig) -> None:
        super().__init__()
        c, hidden = config.width, config.gstra_ratio * config.width
        self.heads = config.heads
        self.token = nn.Parameter(torch.zeros(c))
        self.query_norm, self.token_norm, self.mlp_norm = nn.LayerNorm(c), nn.LayerNorm(c), nn.LayerNorm(c)
        self.query, self.key, self.value = nn.Linear(c, c), FoldedLinear(c, c), FoldedLinear(c, c)
        self.out = nn.Linear(c, c)
        self.mlp_in, self.mlp_out = nn.Linear(c, hidden), nn.Linear(hidden, c)
        self.dropout = nn.Dropout(config.dropout)

    def reset_parameters(self) -> None:
        """Draw the learned query at random."""
        init.normal_(self.token, std=0.02)

    def forward(
        self, tokens: Float[Tensor, "windows N C"], mask: Bool[Tensor, "windows N"] | None
    ) -> Float[Tensor, "windows C"]:
        """Return one vector per window, read from all of its N = t*h*w patches."""
        c = tokens.shape[-1]
        x = self.token_norm(tokens)
        q = self.query(self.query_norm(self.token)).view(self.heads, -1) * (c // self.heads) ** -0.5
        folded = torch.einsum("hd,hdc->hc", q, self.key.weight.view(self.heads, -1, c))
        # The key's bias shifts all scores of a head equally and changes nothing, but DDP expects a gradient for it.
        constant = (q * self.key.bias.view(self.heads, -1)).sum(-1)
        pooled = _pool(x, F.linear(x, folded.to(x.dtype), constant.to(x.dtype)), mask)
        value = torch.einsum("ghc,hdc->ghd", pooled, self.value.weight.view(self.heads, -1, c)).flatten(1)
        return self.mlp(self.token + self.out(value + self.value.bias))

    def mlp(self, x: Float[Tensor, "windows C"]) -> Float[Tensor, "windows C"]:
        """Apply the residual MLP with QuickGELU, u * sigmoid(1.702 u)."""
        hidden = self.mlp_in(self.mlp_norm(x))
        mlp: Tensor = x + self.mlp_out(self.dropout(hidden * torch.sigmoid(1.702 * hidden)))
        return mlp
