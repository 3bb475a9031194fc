from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

from rayapp.redrec.loss.loss import assign, cluster, info_nce, match
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.loss.pool_softmax import LogitTerms, no_pairs, places_of, pool_mass


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_clusters_part_what_is_apart() -> None:
    centres = F.normalize(torch.eye(3, 8) * 1.0, dim=-1)
    targets = F.normalize(centres.repeat_interleave(3, 0) + 0.05 * unit(9, 8), dim=-1)[None]
    assignment, centroids = cluster(targets, torch.ones(1, 9, dtype=torch.bool), 3)
    groups = assignment[0].view(3, 3)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0].tolist())) == 3
    assert torch.allclose(centroids.norm(dim=-1), torch.ones(1, 3))


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_matching_is_the_hungarian_optimum(k: int) -> None:
    interests, centroids = unit(32, k, 16, seed=1), unit(32, k, 16, seed=2)
    found = match(interests, centroids, torch.ones(32, k))
    for n in range(32):
        similarity = (centroids[n] @ interests[n].T).numpy()
        rows, columns = linear_sum_assignment(-similarity)
        assert similarity[np.arange(k), found[n].numpy()].sum() == pytest.approx(
            similarity[rows, columns].sum(), abs=1e-5
        )


def test_an_empty_cluster_takes_no_query_from_a_real_one() -> None:
    interests = F.normalize(torch.eye(3)[None], dim=-1)
    target = F.normalize(torch.tensor([[[0.1, 0.2, 1.0]]]), dim=-1).expand(1, 4, 3)
    mask = torch.tensor([[True, False, False, False]])
    assert assign(interests, target, mask)[0, 0] == 2


def test_a_draw_that_is_the_target_or_its_twin_is_no_negative() -> None:
    target = unit(1, 8)
    pool = torch.cat([target, target, -target])
    loss = info_nce(
        target,
        target,
        target_ids_M=torch.tensor([7]),
        negatives_PD=pool,
        negative_ids_P=torch.tensor([7, 8, 9]),
        log_expected=torch.zeros(3),
        scale=torch.tensor(10.0),
    )
    assert loss.item() == pytest.approx(math.log1p(math.exp(-20.0)), abs=1e-6)


@pytest.mark.parametrize("hard", [0, 32])
def test_sampled_gradient_matches_full_softmax_on_500_items(hard: int) -> None:
    """Uniform and popularity-drawn negatives, and the hardest of the step before, with log-Q against every item."""
    items, dim, rows = 500, 16, 64
    table = unit(items, dim, seed=3)
    popularity = 1 / torch.arange(1, items + 1).float()
    share = popularity / popularity.sum()
    generator = torch.Generator().manual_seed(4)
    targets = torch.multinomial(share, rows, replacement=True, generator=generator)
    users = unit(rows, dim, seed=5).requires_grad_()
    scale = torch.tensor(8.0)

    everything = torch.arange(items)
    full = info_nce(
        users,
        table[targets],
        target_ids_M=targets,
        negatives_PD=table,
        negative_ids_P=everything,
        log_expected=torch.zeros(items),
        scale=scale,
    )
    (expected,) = torch.autograd.grad(full.mean(), users)

    sampler = NegativeSampler(
        {1: np.arange(items)}, (share * 1e6).long().numpy(), uniform=256, in_batch=128, seed=6, hard=hard
    )
    total = torch.zeros_like(users)
    for _ in range(400):
        # In-batch draws come from many batches in training: here from the share itself.
        batch = torch.multinomial(share, 512, replacement=True, generator=generator)
        pools = sampler.draw([1], batch)
        pool = pools[1]
        sampled = info_nce(
            users,
            table[targets],
            target_ids_M=targets,
            negatives_PD=table[pool.rows_P],
            negative_ids_P=pool.rows_P,
            log_expected=pool.log_expected_P,
            scale=scale,
        )
        total += torch.autograd.grad(sampled.mean(), users)[0]
        if hard:
            own = places_of(torch.arange(rows), targets, pool.rows_P)
            nothing = no_pairs(targets.device)
            terms = LogitTerms(pool.log_expected_P, own, nothing, torch.zeros(rows))
            mass = pool_mass(scale * users, table[pool.rows_P], terms)
            sampler.keep(pools, {1: mass})
            assert len(sampler.hardest[1]) == hard
    cosine = F.cosine_similarity(total.flatten(), expected.flatten(), dim=0)
    assert cosine > 0.99


def test_another_scenarios_uniform_draws_are_not_in_the_pool() -> None:
    sampler = NegativeSampler({1: np.arange(10), 2: np.arange(10, 20)}, np.ones(20), uniform=8, in_batch=4, seed=0)
    pools = sampler.draw([1, 2], torch.tensor([3, 12]))
    assert (pools[1].rows_P[:8] < 10).all()
    assert (pools[2].rows_P[:8] >= 10).all()
    assert torch.equal(pools[1].rows_P[8:], pools[2].rows_P[8:])
    assert set(pools[1].rows_P[8:].tolist()) <= {3, 12}
    of_three = torch.tensor(8 / 10 + 4 / 20).log()
    assert torch.allclose(pools[1].log_expected_P[pools[1].rows_P == 3], of_three)
    assert torch.allclose(pools[2].log_expected_P[pools[2].rows_P == 3], torch.tensor(4 / 20).log())


def test_no_more_items_than_draws_is_the_full_softmax() -> None:
    table, users, targets = unit(40, 8), unit(5, 8, seed=1), torch.tensor([3, 9, 12, 30, 39])
    pool = NegativeSampler({1: np.arange(40)}, np.ones(40), uniform=64, in_batch=16, seed=0).draw([1], targets)[1]
    found = info_nce(
        users,
        table[targets],
        target_ids_M=targets,
        negatives_PD=table[pool.rows_P],
        negative_ids_P=pool.rows_P,
        log_expected=pool.log_expected_P,
        scale=torch.tensor(5.0),
    )
    assert torch.allclose(found, F.cross_entropy(5.0 * users @ table.T, targets, reduction="none"), atol=1e-5)


def test_the_hardest_draws_come_again_once_and_only_to_their_scenario() -> None:
    sampler = NegativeSampler(
        {1: np.arange(10), 2: np.arange(10, 90)}, np.ones(90), uniform=20, in_batch=0, seed=0, hard=3
    )
    pools = sampler.draw([1, 2], torch.tensor([3, 12]))
    chosen = pools[2].rows_P.unique()[:3]
    sampler.keep(pools, {1: torch.zeros(10), 2: torch.isin(pools[2].rows_P, chosen).float()})
    assert set(sampler.hardest[2].tolist()) == set(chosen.tolist())
    again = sampler.draw([1, 2], torch.tensor([3, 12]))
    assert len(again[1].rows_P) == 10  # all of the first are there anyway
    assert len(again[2].rows_P) == 20 + 3
    assert again[2].rows_P[-3:].tolist() == sampler.hardest[2].tolist()
    assert torch.allclose(again[2].log_expected_P[-3:].exp(), torch.tensor(1 + 20 / 80))
