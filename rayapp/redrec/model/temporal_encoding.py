"""Positional and time-gap encoding of history events (RED-Rec, section 3.2).

One encoding for each mixing, so that the paper's ablation changes nothing else:
which events are visible at a cut depends only on time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rayapp.redrec.model.mixing import Mixing

GAP_BUCKETS = 24
SLOT = 256  # concatenated: offset between the ranks of two scenarios, independent of the batch's padding


class TemporalEncoding(NamedTuple):
    """B users, L events, C cuts: ranks count from 1 (0 is the begin token), ages from 0 at the newest visible event.

    scenario_BL is the scenario embedding's index, 0 where the tower does not see the scenario.
    """

    scenario_BL: Tensor
    rank_BL: Tensor
    query_rank_BC: Tensor
    gap_BL: Tensor
    age_BCL: Tensor


def temporal_encoding(
    mixing: Mixing, scenarios_BL: Tensor, seconds_BL: Tensor, *, cut_BC: Tensor, cut_scenario_BC: Tensor
) -> TemporalEncoding:
    """The encoding of sequences in time order."""
    B, L = scenarios_BL.shape
    rank_L = torch.arange(L, device=scenarios_BL.device)
    if mixing == "scenario":
        zeros_BL = torch.zeros_like(scenarios_BL)
        return TemporalEncoding(
            scenarios_BL,
            zeros_BL + 1,
            torch.ones_like(cut_BC),
            zeros_BL,
            torch.zeros(B, cut_BC.shape[1], L, dtype=torch.long, device=cut_BC.device),
        )
    if mixing == "concatenated":
        return _concatenated(scenarios_BL, seconds_BL, cut_BC, cut_scenario_BC)
    age_BCL = (cut_BC[..., None] - 1 - rank_L).clamp(min=0)
    encoded_BL = torch.zeros_like(scenarios_BL) if mixing == "time" else scenarios_BL
    return TemporalEncoding(encoded_BL, (rank_L + 1).expand(B, -1), cut_BC + 1, gap_buckets(seconds_BL), age_BCL)


def _concatenated(
    scenarios_BL: Tensor, seconds_BL: Tensor, cut_BC: Tensor, cut_scenario_BC: Tensor
) -> TemporalEncoding:
    """Scenario s has ranks from s x SLOT on, so that a cut does not leak how many events follow in other scenarios."""
    many = int(max(scenarios_BL.max(), cut_scenario_BC.max())) + 1
    so_far_BLS = torch.nn.functional.one_hot(scenarios_BL, many).cumsum(1)
    place_BL = so_far_BLS.gather(2, scenarios_BL[..., None])[..., 0]
    before_BLS = torch.cat((torch.zeros_like(so_far_BLS[:, :1]), so_far_BLS), dim=1)
    counts_BCS = before_BLS.gather(1, cut_BC[..., None].expand(-1, -1, many))
    own_BC = counts_BCS.gather(2, cut_scenario_BC[..., None])[..., 0]
    counts_BCL = counts_BCS.gather(2, scenarios_BL[:, None].expand(-1, cut_BC.shape[1], -1))
    order_BL = (scenarios_BL * SLOT + place_BL).argsort(1)
    sorted_scenarios_BL = scenarios_BL.gather(1, order_BL)
    gaps_BL = gap_buckets(seconds_BL.gather(1, order_BL))
    gaps_BL[:, 1:][sorted_scenarios_BL[:, 1:] != sorted_scenarios_BL[:, :-1]] = 0
    return TemporalEncoding(
        scenarios_BL,
        scenarios_BL * SLOT + place_BL,
        cut_scenario_BC * SLOT + own_BC + 1,
        torch.zeros_like(gaps_BL).scatter(1, order_BL, gaps_BL),
        (counts_BCL - place_BL[:, None]).clamp(min=0),
    )


def gap_buckets(seconds_BL: Tensor) -> Tensor:
    """Seconds since the previous event to log-scale buckets: 0 for the first, then 1 + log2(1 + gap)."""
    gaps = torch.diff(seconds_BL, dim=1, prepend=seconds_BL[:, :1]).clamp(min=0)
    buckets = 1 + torch.log2(1 + gaps.double()).floor().long().clamp(max=GAP_BUCKETS - 2)
    buckets[:, 0] = 0
    return buckets
