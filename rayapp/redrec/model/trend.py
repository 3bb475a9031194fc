"""Time-dependent popularity embeddings: a vector per calendar period, added to every interest.

Popularity changes within weeks, and a history reflects it only if it is recent.
A period's vector is learned from the targets that follow an event in it, so a
user's newest event, in any scenario, also dates the request. Temporal dynamics
as in Koren (KDD 2009), in the joint space of users and items: the item index
is unchanged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rayapp.redrec.model.batch import END_OF_TIME

NEVER = torch.iinfo(torch.long).min  # the time of a history without events
DAY_S = 86_400
MOST_PERIODS = 4096
SPEED = 5.0  # scales the learning rate: every period has few events


class Trend(nn.Module):
    """For each period length and scenario a vector [D] per period; their sum, zero at initialisation."""

    def __init__(self, days: tuple[float, ...], time: tuple[int, int], scenarios: int, dim: int) -> None:
        """`time`: first and last second of the training data. Raises ValueError as `periods` does."""
        super().__init__()
        self.since, self.until = time
        self.dim = dim
        self.lengths, counts = zip(*periods(days, time), strict=True)
        self.tables = nn.ParameterList(nn.Parameter(torch.zeros(n, (scenarios + 1) * dim)) for n in counts)

    def forward(self, seconds_BC: Tensor, scenario_BC: Tensor) -> Tensor:
        """[B, C, D] for requests of these scenarios at these times: zero at NEVER; times after training count as its
        end."""
        trend = torch.zeros(*seconds_BC.shape, self.dim, device=seconds_BC.device)
        for length, table in zip(self.lengths, self.tables, strict=True):
            period_BC = (seconds_BC.clamp(self.since, self.until) - self.since) // length
            rows = F.embedding(period_BC, table).unflatten(-1, (-1, self.dim))
            which = scenario_BC[..., None, None].expand(*scenario_BC.shape, 1, self.dim)
            trend = trend + rows.gather(2, which)[:, :, 0]
        return SPEED * trend * (seconds_BC != NEVER)[..., None]


def periods(days: tuple[float, ...], time: tuple[int, int]) -> list[tuple[int, int]]:
    """(seconds, number of periods in `time`) for each length. Raises ValueError for too many or non-positive ones."""
    lengths = []
    for length in days:
        seconds = round(length * DAY_S)
        if seconds < 1:
            raise ValueError(f"trend_days has {length:g}, must be above 0")
        count = (time[1] - time[0]) // seconds + 1
        if count > MOST_PERIODS:
            raise ValueError(
                f"trend_days has {length:g}: {count:,} periods from second {time[0]} to {time[1]}, at most "
                f"{MOST_PERIODS:,}; make them longer, or look for wrong timestamps"
            )
        lengths.append((seconds, count))
    return lengths


def moments(seconds_BL: Tensor, seen_BCL: Tensor, cut_seconds_BC: Tensor) -> Tensor:
    """[B, C]: the time assumed for each request: now, else that of the newest event it may read, else NEVER.

    The time of the request (`cut_seconds`) is not used otherwise: in published protocols no model knows when the next
    event happens.
    """
    newest = torch.where(seen_BCL, seconds_BL[:, None], NEVER).amax(-1)
    return torch.where(cut_seconds_BC == END_OF_TIME, END_OF_TIME, newest)
