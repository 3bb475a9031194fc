"""What everybody takes at the time: vectors of calendar periods, part of every interest.

What is taken changes within weeks, and a history says it only as far as it is
recent. A period's vector is learned from what anyone took after an event in
it, so a user's newest event, in whatever scenario, tells what is going on now
as well as what the user likes. Temporal dynamics as in Koren (KDD 2009), in
the space where users and items meet: nothing changes for the item index.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rayapp.redrec.model.batch import END_OF_TIME

NEVER = torch.iinfo(torch.long).min  # the time of a history without events
DAY_S = 86_400
MOST_PERIODS = 4096
SPEED = 5.0  # learned faster than the weights of a network: every period has few events


class Trend(nn.Module):
    """For each length of periods and each scenario a vector [D] a period, summed; zero at the start."""

    def __init__(self, days: tuple[float, ...], time: tuple[int, int], scenarios: int, dim: int) -> None:
        """`time`: first and last second that training sees. Raises ValueError where `periods` does."""
        super().__init__()
        self.since, self.until = time
        self.dim = dim
        self.lengths, counts = zip(*periods(days, time), strict=True)
        self.tables = nn.ParameterList(nn.Parameter(torch.zeros(n, (scenarios + 1) * dim)) for n in counts)

    def forward(self, seconds_BC: Tensor, scenario_BC: Tensor) -> Tensor:
        """[B, C, D] for requests of these scenarios at these times: zero at NEVER; later than training, its end."""
        trend = torch.zeros(*seconds_BC.shape, self.dim, device=seconds_BC.device)
        for length, table in zip(self.lengths, self.tables, strict=True):
            period_BC = (seconds_BC.clamp(self.since, self.until) - self.since) // length
            rows = F.embedding(period_BC, table).unflatten(-1, (-1, self.dim))
            which = scenario_BC[..., None, None].expand(*scenario_BC.shape, 1, self.dim)
            trend = trend + rows.gather(2, which)[:, :, 0]
        return SPEED * trend * (seconds_BC != NEVER)[..., None]


def periods(days: tuple[float, ...], time: tuple[int, int]) -> list[tuple[int, int]]:
    """(seconds, how many of them are in `time`) of each length. Raises ValueError for too many or none."""
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


def moments(seconds_BL: Tensor, seen_BCL: Tensor, asked_BC: Tensor) -> Tensor:
    """[B, C]: what time each request is known to be: now, or else that of the newest event it may read, or NEVER.

    The time that was asked at (`cut_seconds`) is not used otherwise: published protocols tell no model when the
    next event happens.
    """
    newest = torch.where(seen_BCL, seconds_BL[:, None], NEVER).amax(-1)
    return torch.where(asked_BC == END_OF_TIME, END_OF_TIME, newest)
