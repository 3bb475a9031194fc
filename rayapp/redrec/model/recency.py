"""What every interest starts from: the user's recent items, averaged with learned forgetting.

The transformer's output is added to this average. An untrained or barely
trained tower therefore already answers with items like those clicked last
(the item-to-item recommender that small data cannot beat), and training is
spent on what an average cannot say.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FASTEST, SLOWEST = 0.5, 0.05  # forgetting an event at the start: the queries of a scenario lie between these


class RecencyPool(nn.Module):
    """Weights exp(-rate * age) times a factor for the pair of scenarios, learned for every query."""

    def __init__(self, scenarios: int, interests: int) -> None:
        super().__init__()
        rates = torch.logspace(0, 1, interests, base=SLOWEST / FASTEST) * FASTEST
        self.log_rate = nn.Parameter(rates.log().repeat(scenarios + 1, 1))
        self.affinity = nn.Parameter(torch.eye(scenarios + 1))

    def forward(
        self, vectors_BLD: Tensor, scenarios_BL: Tensor, seen_BCL: Tensor, age_BCL: Tensor, cut_scenario_BC: Tensor
    ) -> Tensor:
        """[B, C, K, D]: for every query the weighted mean of the item vectors that its cut sees; zero if none."""
        rate_BCK = self.log_rate[cut_scenario_BC].exp()
        affinity_BCL = self.affinity[cut_scenario_BC[..., None], scenarios_BL[:, None]]
        logits = affinity_BCL[:, :, None] - rate_BCK[..., None] * age_BCL[:, :, None]
        weights = logits.masked_fill(~seen_BCL[:, :, None], -1e4).softmax(-1) * seen_BCL.any(-1)[..., None, None]
        return (weights.flatten(1, 2) @ vectors_BLD).unflatten(1, weights.shape[1:3])
