from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.redrec.model.recency import RecencyPool

L, D = 5, 4


def ages(cut: int) -> torch.Tensor:
    return (cut - 1 - torch.arange(L))[None, None].clamp(min=0)


def pooled(pool: RecencyPool, cut: int, seen: list[bool], scenario: int = 1) -> torch.Tensor:
    """[K, D] of one user with L orthogonal-ish events of scenario 1."""
    vectors = F.normalize(torch.randn(1, L, D, generator=torch.Generator().manual_seed(3)), dim=-1)
    scenarios = torch.ones(1, L, dtype=torch.long)
    mask = torch.tensor(seen)[None, None]
    cut_scenario = torch.tensor([[scenario]])
    out = pool(vectors, scenarios, seen_BCL=mask, age_BCL=ages(cut), cut_scenario_BC=cut_scenario)
    return out[0, 0].detach()


def test_nothing_seen_is_zero_and_one_event_is_itself() -> None:
    pool = RecencyPool(scenarios=2, interests=3)
    assert torch.equal(pooled(pool, 0, [False] * L), torch.zeros(3, D))
    vectors = F.normalize(torch.randn(1, L, D, generator=torch.Generator().manual_seed(3)), dim=-1)
    assert torch.allclose(pooled(pool, 1, [True] + [False] * (L - 1)), vectors[0, 0].expand(3, -1))


def test_queries_start_with_different_memories() -> None:
    vectors = torch.eye(L)[None]
    ones = torch.ones(1, L, dtype=torch.long)
    seen = torch.ones(1, 1, L, dtype=torch.bool)
    weights = RecencyPool(2, 3)(vectors, ones, seen_BCL=seen, age_BCL=ages(L), cut_scenario_BC=torch.tensor([[1]]))[
        0, 0
    ]
    assert torch.allclose(weights.sum(-1), torch.ones(3))
    assert (weights.diff(dim=-1) > 0).all()  # newer counts more
    assert (weights[:, -1].diff() < 0).all()  # the first query forgets fastest


def test_events_of_the_asked_scenario_count_more() -> None:
    vectors = torch.eye(2)[None]
    scenarios = torch.tensor([[1, 2]])
    age = torch.zeros(1, 2, 2, dtype=torch.long)
    seen = torch.ones(1, 2, 2, dtype=torch.bool)
    cut_scenarios = torch.tensor([[1, 2]])
    out = RecencyPool(2, 1)(vectors, scenarios, seen_BCL=seen, age_BCL=age, cut_scenario_BC=cut_scenarios)
    share_of_first = out[0, :, 0, 0]
    assert share_of_first[0] > share_of_first[1]


@settings(max_examples=40)
@given(cut=st.integers(0, L), hidden=st.integers(0, L - 1))
def test_what_a_cut_does_not_see_changes_nothing(cut: int, hidden: int) -> None:
    pool = RecencyPool(2, 2)
    seen = torch.tensor([rank < cut and rank != hidden for rank in range(L)])[None, None]
    ones = torch.ones(1, L, dtype=torch.long)
    a = torch.randn(1, L, D)
    b = torch.where(seen[0, 0][None, :, None], a, torch.randn(1, L, D))
    request = {"seen_BCL": seen, "age_BCL": ages(cut), "cut_scenario_BC": torch.tensor([[1]])}
    assert torch.allclose(pool(a, ones, **request), pool(b, ones, **request), atol=1e-6)
