"""Targets of a batch with what predicts them, and the items before each cut."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Cuts(NamedTuple):
    """M targets with the interest vectors that predict them, their scenarios, users (rows of the batch) and cuts
    (positions in the history)."""

    users_MD: Tensor
    targets_M: Tensor
    targets_MD: Tensor
    scenario_M: Tensor
    user_M: Tensor
    cut_M: Tensor

    def of(self, scenario: int) -> Cuts:
        in_scenario = self.scenario_M == scenario
        return Cuts(*(column[in_scenario] for column in self))


def before(items_BL: Tensor, user_M: Tensor, cut_M: Tensor) -> tuple[Tensor, Tensor]:
    """(cut index in M, ascending; item): the items of the user's history before each cut, each item once."""
    L = items_BL.shape[1]
    same = items_BL[:, :, None] == items_BL[:, None, :]
    first_BL = ~same.tril(-1).any(-1)
    seen_ML = (torch.arange(L, device=cut_M.device) < cut_M[:, None]) & first_BL[user_M]
    which, at = seen_ML.nonzero(as_tuple=True)
    return which, items_BL[user_M[which], at]
