"""What the tower is told of time, by the way of mixing."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.mixing import Mixing
from rayapp.redrec.model.redrec import ModelConfig, UserSide
from rayapp.redrec.model.temporal_encoding import SLOT, TemporalEncoding, gap_buckets, temporal_encoding

SCENARIOS = torch.tensor([[1, 2, 1, 1, 2]])
SECONDS = torch.tensor([[0, 1, 3, 6, 9]])


def told(mixing: Mixing, cut: int = 4, scenario: int = 1) -> TemporalEncoding:
    return temporal_encoding(
        mixing, SCENARIOS, SECONDS, cut_BC=torch.tensor([[cut]]), cut_scenario_BC=torch.tensor([[scenario]])
    )


def test_gaps_are_log_buckets_and_the_first_has_its_own() -> None:
    assert gap_buckets(torch.tensor([[10, 10, 11, 14]])).tolist() == [[0, 1, 2, 3]]


def test_dense_counts_ranks_over_all_scenarios() -> None:
    found = told("dense")
    assert found.rank_BL.tolist() == [[1, 2, 3, 4, 5]]
    assert found.query_rank_BC.item() == 5
    assert found.age_BCL.tolist() == [[[3, 2, 1, 0, 0]]]
    assert torch.equal(found.scenario_BL, SCENARIOS)


def test_concatenated_counts_within_the_scenario() -> None:
    found = told("concatenated")
    assert found.rank_BL.tolist() == [[SLOT + 1, 2 * SLOT + 1, SLOT + 2, SLOT + 3, 2 * SLOT + 2]]
    assert found.query_rank_BC.item() == SLOT + 4  # after three of its own
    assert told("concatenated", cut=1, scenario=2).query_rank_BC.item() == 2 * SLOT + 1
    assert found.age_BCL.tolist() == [[[2, 0, 1, 0, 0]]]
    assert found.gap_BL.tolist() == [[0, 0, 3, 3, 4]]  # 3 and 3 seconds in the one scenario, 8 in the other


def test_one_dimension_tells_no_time_and_sorting_by_time_no_scenario() -> None:
    scenario, time = told("scenario"), told("time")
    assert scenario.rank_BL.unique().tolist() == [1]
    assert not scenario.gap_BL.any()
    assert not scenario.age_BCL.any()
    assert torch.equal(scenario.scenario_BL, SCENARIOS)
    assert not time.scenario_BL.any()
    assert torch.equal(time.rank_BL, told("dense").rank_BL)


@settings(max_examples=30, deadline=None)
@given(
    mixing=st.sampled_from(["dense", "scenario", "concatenated", "time"]),
    scenarios=st.lists(st.integers(1, 3), min_size=2, max_size=12),
    data=st.data(),
)
def test_what_comes_after_a_cut_changes_nothing(mixing: Mixing, scenarios: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(scenarios) - 1))
    torch.manual_seed(0)
    config = ModelConfig(dim=4, width=8, layers=2, heads=2, length=12, mixing=mixing)
    user = UserSide(config, Vocabulary(("a", "b", "c"), ("click",))).eval()
    row = torch.tensor([scenarios])
    seconds = torch.arange(len(scenarios))[None] * 60
    vectors = torch.randn(1, len(scenarios), 4)
    nothing = torch.zeros(1, 1, 1, dtype=torch.long)

    def answer(row: torch.Tensor, seconds: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        asked = (torch.tensor([[cut]]), torch.tensor([[2]]), torch.tensor([[10**9]]))
        batch = Batch(torch.zeros_like(row), row, torch.ones_like(row), seconds, *asked, nothing, nothing.bool())
        with torch.inference_mode():
            return user(batch, vectors)

    later = torch.arange(len(scenarios)) >= cut
    other = answer(torch.where(later, 3, row), seconds + 100 * later, vectors + later[None, :, None])
    assert torch.allclose(answer(row, seconds, vectors), other, atol=1e-5)
