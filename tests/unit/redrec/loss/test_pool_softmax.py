"""The chunked log-partition is the dense one, in value and gradients, whatever is hidden or weighted down."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.redrec.loss.pool_softmax import (
    LogitTerms,
    Pairs,
    joined,
    log_partition,
    near_duplicates,
    no_pairs,
    places_of,
    pool_mass,
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), rows=st.integers(1, 70), pool=st.integers(2, 40))
def test_it_is_the_dense_one(seed: int, rows: int, pool: int) -> None:
    g = torch.Generator().manual_seed(seed)
    users = torch.randn(rows, 6, generator=g, dtype=torch.float32).requires_grad_()
    items = torch.randn(pool, 6, generator=g).requires_grad_()
    penalty = torch.randn(rows, generator=g).requires_grad_()
    bias = torch.randn(pool, generator=g)
    hide, repeated = (torch.rand(rows, pool, generator=g) < 0.2 for _ in range(2))
    hide[:, 0] = False  # every row has something left
    weights = torch.randn(rows, generator=g)

    terms = LogitTerms(bias, Pairs(*hide.nonzero(as_tuple=True)), Pairs(*repeated.nonzero(as_tuple=True)), penalty)
    found = log_partition(users, items, terms)
    scores = users @ items.T - bias - penalty[:, None] * repeated
    dense = scores.masked_fill(hide, float("-inf")).logsumexp(1)
    assert torch.allclose(found, dense, atol=1e-4)
    shares = scores.masked_fill(hide, float("-inf")).softmax(1).detach()
    assert torch.allclose(pool_mass(users, items, terms), shares.sum(0), atol=1e-4)
    ours = torch.autograd.grad((weights * found).sum(), (users, items, penalty))
    theirs = torch.autograd.grad((weights * dense).sum(), (users, items, penalty))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_chunks_do_not_matter() -> None:
    """More rows than fit into one chunk of a large pool."""
    users, items = torch.randn(200, 4, requires_grad=True), torch.randn(20_000, 4)
    device = torch.device("cpu")
    nothing, zero = no_pairs(device), torch.zeros(20_000)
    found = log_partition(users, items, LogitTerms(zero, nothing, nothing, torch.zeros(200)))
    assert torch.allclose(found, (users @ items.T).logsumexp(1), atol=1e-4)


def test_an_empty_pool_has_no_gradient() -> None:
    users = torch.randn(2, 3, requires_grad=True)
    everything = Pairs(torch.tensor([0, 0]), torch.tensor([0, 1]))
    nothing = no_pairs(torch.device("cpu"))
    found = log_partition(users, torch.randn(2, 3), LogitTerms(torch.zeros(2), everything, nothing, torch.zeros(2)))
    assert found[0] == float("-inf")
    torch.logaddexp(torch.zeros(2), found).sum().backward()
    assert torch.equal(users.grad[0], torch.zeros(3))
    assert users.grad[1].abs().sum() > 0


def test_places_are_all_draws_of_an_id() -> None:
    pool = torch.tensor([5, 2, 5, 9])
    found = places_of(torch.tensor([0, 0, 1, 3]), torch.tensor([5, 7, 2, 5]), pool)
    assert sorted(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == [
        (0, 0),
        (0, 2),
        (1, 1),
        (3, 0),
        (3, 2),
    ]
    assert found.rows.tolist() == sorted(found.rows.tolist())


def test_twins_are_near_items_and_joined_places_are_in_order() -> None:
    items = F.normalize(torch.tensor([[1.0, 0], [1, 0.01], [0, 1]]), dim=-1)
    found = near_duplicates(items[[2, 0]], items, 0.98)
    assert list(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == [(0, 2), (1, 0), (1, 1)]
    both = joined(found, Pairs(torch.tensor([0, 1]), torch.tensor([1, 2])))
    assert both.rows.tolist() == [0, 0, 1, 1, 1]
