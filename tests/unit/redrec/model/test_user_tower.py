from __future__ import annotations

import torch

from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.temporal_encoding import temporal_encoding
from rayapp.redrec.model.user_tower import UserTower


def tower() -> UserTower:
    torch.manual_seed(0)
    return UserTower(dim=8, width=16, layers=2, heads=2, dropout=0.1, scenarios=2, actions=2, interests=3).eval()


def inputs(length: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(2, length, 8, generator=generator)
    scenarios = torch.tensor([[1, 2] * length])[:, :length].expand(2, -1)
    seconds = torch.arange(length).expand(2, -1) * 100
    return [vectors, scenarios, torch.ones(2, length, dtype=torch.long), seconds]


def cut(at: int, scenario: int = 1, seconds: int = 10**9) -> list[torch.Tensor]:
    return [torch.full((2, 1), value) for value in (at, scenario, seconds)]


def hidden(model: UserTower, read: list[torch.Tensor], asked: list[torch.Tensor]) -> torch.Tensor:
    vectors, scenarios, actions, seconds = read
    nothing = torch.zeros(len(vectors), 1, 1, dtype=torch.long)
    batch = Batch(scenarios, scenarios, actions, seconds, *asked, nothing, nothing.bool())
    return model(
        vectors, batch, temporal_encoding("dense", scenarios, seconds, cut_BC=asked[0], cut_scenario_BC=asked[1])
    )


def test_shape() -> None:
    assert hidden(tower(), inputs(), cut(6)).shape == (2, 1, 3, 16)


def test_what_lies_past_a_cut_changes_nothing() -> None:
    model, a = tower(), inputs()
    b = [t.clone() for t in a]
    b[0][:, 4:] += 1
    b[1][:, 4:] = 1
    assert torch.allclose(hidden(model, a, cut(4)), hidden(model, b, cut(4)), atol=1e-6)
    assert not torch.allclose(hidden(model, a, cut(5)), hidden(model, b, cut(5)), atol=1e-3)


def test_one_pass_with_many_cuts_equals_one_pass_a_cut() -> None:
    model, a = tower(), inputs()
    many = hidden(
        model, a, [torch.tensor([[1, 3, 6]] * 2), torch.ones(2, 3, dtype=torch.long), torch.full((2, 3), 10**9)]
    )
    for n, at in enumerate((1, 3, 6)):
        shorter = [t[:, :at] for t in a]
        assert torch.allclose(many[:, n], hidden(model, shorter, cut(at))[:, 0], atol=1e-5)


def test_padding_changes_nothing() -> None:
    model, a = tower(), inputs(4)
    padded = [torch.cat([t, t[:, -1:].expand(-1, 3, *t.shape[2:])], dim=1) for t in a]
    assert torch.allclose(hidden(model, a, cut(4)), hidden(model, padded, cut(4)), atol=1e-5)


def test_another_scenarios_events_of_the_same_moment_are_not_seen() -> None:
    model, a = tower(), inputs()
    b = [t.clone() for t in a]
    b[0][:, 5] += 1  # an event of scenario 2 at second 500
    same = cut(6, scenario=1, seconds=500)
    later = cut(6, scenario=1, seconds=501)
    assert torch.allclose(hidden(model, a, same), hidden(model, b, same), atol=1e-6)
    assert not torch.allclose(hidden(model, a, later), hidden(model, b, later), atol=1e-3)
    own = cut(6, scenario=2, seconds=500)
    assert not torch.allclose(hidden(model, a, own), hidden(model, b, own), atol=1e-3)


def test_an_empty_history_has_finite_interests() -> None:
    assert torch.isfinite(hidden(tower(), inputs(), cut(0))).all()
