"""A recency-weighted average of the user's items, with learned decay, as the base of every interest.

The transformer's output is added to this average. A barely trained tower
therefore already recommends items like the last ones clicked (an item-to-item
recommender, which is hard to beat on small data), and training is spent on the
remainder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FASTEST, SLOWEST = 0.5, 0.05  # initial decay rates per event; the queries of a scenario are spread between these


class RecencyPool(nn.Module):
    """Weights exp(-rate * age) times a factor for the pair of scenarios, learned per query."""

    def __init__(self, scenarios: int, interests: int) -> None:
        super().__init__()
        rates = torch.logspace(0, 1, interests, base=SLOWEST / FASTEST) * FASTEST
        self.log_rate = nn.Parameter(rates.log().repeat(scenarios + 1, 1))
        self.affinity = nn.Parameter(torch.eye(scenarios + 1))

    def forward(
        self, vectors_BLD: Tensor, scenarios_BL: Tensor, *, seen_BCL: Tensor, age_BCL: Tensor, cut_scenario_BC: Tensor
    ) -> Tensor:
        """[B, C, K, D]: for each query the weighted mean of the item vectors visible at its cut; zero if there are
        none."""
        rate_BCK = self.log_rate[cut_scenario_BC].exp()
        affinity_BCL = self.affinity[cut_scenario_BC[..., None], scenarios_BL[:, None]]
        logits = affinity_BCL[:, :, None] - rate_BCK[..., None] * age_BCL[:, :, None]
        weights = logits.masked_fill(~seen_BCL[:, :, None], -1e4).softmax(-1) * seen_BCL.any(-1)[..., None, None]
        return (weights.flatten(1, 2) @ vectors_BLD).unflatten(1, weights.shape[1:3])
