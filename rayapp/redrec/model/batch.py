"""The user tower's input as tensors: histories, and the cuts at which interests are computed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

END_OF_TIME = torch.iinfo(torch.long).max  # `cut_seconds` of a request made now


class Batch(NamedTuple):
    """B users, L events, C cuts, W targets per cut; item rows are int64, padding is row `items` with mask False."""

    items_BL: Tensor
    scenarios_BL: Tensor
    actions_BL: Tensor
    seconds_BL: Tensor
    cut_BC: Tensor
    cut_scenario_BC: Tensor
    cut_seconds_BC: Tensor
    targets_BCW: Tensor
    target_mask_BCW: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(*(column.to(device) for column in self))
