"""The projection head into the space where users and items meet, and the item tower built on it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """Linear, GELU, Linear, dropout, residual, LayerNorm (RED-Rec, section 3.1): [..., in] -> [..., out]."""

    def __init__(self, width_in: int, width_out: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.project = nn.Linear(width_in, width_out)
        self.refine = nn.Linear(width_out, width_out)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.project(x)
        return self.norm(h + self.dropout(self.refine(F.gelu(h))))


class ItemTower(nn.Module):
    """From a content vector and an id embedding to one item vector.

    Items that are newer than the training data have no id row (row `unknown` is
    zero) and are placed by content only; id dropout in training makes content
    sufficient.
    """

    def __init__(
        self, items: int, content_dim: int, dim: int, *, dropout: float, use_ids: bool, id_dropout: float
    ) -> None:
        super().__init__()
        self.unknown = items
        self.id_dropout = id_dropout
        self.head = ProjectionHead(content_dim, dim, dropout)
        self.ids = nn.Embedding(items + 1, dim, padding_idx=items) if use_ids else None
        if self.ids is not None:
            nn.init.normal_(self.ids.weight, std=0.5 * dim**-0.5)
            with torch.no_grad():
                self.ids.weight[items].zero_()

    def forward(self, content_NC: Tensor, rows_N: Tensor) -> Tensor:
        """[N, content_dim] and int64 [N] -> item vectors [N, dim], not normalised."""
        # Unit length, so that the id beside it (half as long at first) can outgrow it within an epoch.
        vectors = F.normalize(self.head(content_NC), dim=-1)
        if self.ids is None:
            return vectors
        if self.training and self.id_dropout:
            drop = torch.rand(rows_N.shape, device=rows_N.device) < self.id_dropout
            rows_N = rows_N.masked_fill(drop, self.unknown)
        return vectors + self.ids(rows_N)
