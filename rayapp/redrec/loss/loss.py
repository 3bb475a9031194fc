"""Targets to interests, and InfoNCE with sampled negatives and log-Q correction (RED-Rec, section 3.4)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

FALSE_NEGATIVE_COSINE = 0.98


def cluster(targets_NWD: Tensor, mask_NW: Tensor, clusters: int, iterations: int = 5) -> tuple[Tensor, Tensor]:
    """Cosine k-means of every row's W targets at once: (assignment [N, W], centroids [N, K, D]).

    Starts from targets spread over the row (deterministic); a cluster without
    members keeps its centroid. Rows with fewer targets than clusters repeat some.
    """
    N, W, D = targets_NWD.shape
    counts = mask_NW.sum(1).clamp(min=1)
    starts = (torch.arange(clusters, device=mask_NW.device)[None] * counts[:, None]) // clusters
    centroids = targets_NWD.gather(1, starts[..., None].expand(-1, -1, D))
    weights = mask_NW.to(targets_NWD.dtype)
    assignment = torch.zeros(N, W, dtype=torch.long, device=mask_NW.device)
    for _ in range(iterations):
        assignment = (targets_NWD @ centroids.transpose(1, 2)).argmax(-1)
        member = F.one_hot(assignment, clusters).to(weights.dtype) * weights[..., None]
        sums = member.transpose(1, 2) @ targets_NWD
        empty = member.sum(1)[..., None] == 0
        centroids = torch.where(empty, centroids, F.normalize(sums, dim=-1))
    return assignment, centroids


def match(interests_NKD: Tensor, centroids_NKD: Tensor, sizes_NK: Tensor) -> Tensor:
    """Optimal one-to-one matching of clusters to queries: int64 [N, K], the query of each cluster.

    The optimum of the Hungarian algorithm: by enumeration of all K! orders for
    K <= 4 (24 gathers beat N calls), by SciPy above. Empty clusters have weight
    0, so they never take a query from a real one.
    """
    similarity = (centroids_NKD @ interests_NKD.transpose(1, 2)) * (sizes_NK > 0)[..., None]
    K = similarity.shape[-1]
    if K <= 4:
        orders = torch.tensor(list(permutations(range(K))), device=similarity.device)
        totals = similarity[:, torch.arange(K), orders].sum(-1)
        return orders[totals.argmax(-1)]
    from scipy.optimize import linear_sum_assignment

    rows = [linear_sum_assignment(-row)[1] for row in similarity.float().cpu().numpy()]
    return torch.as_tensor(np.stack(rows), device=similarity.device)


@torch.no_grad()
def assign(interests_NKD: Tensor, targets_NWD: Tensor, mask_NW: Tensor) -> Tensor:
    """The query to which each target is assigned as a positive: int64 [N, W]."""
    K = interests_NKD.shape[1]
    if K == 1:
        return torch.zeros(mask_NW.shape, dtype=torch.long, device=mask_NW.device)
    assignment, centroids = cluster(targets_NWD, mask_NW, K)
    sizes = (F.one_hot(assignment, K) * mask_NW[..., None]).sum(1)
    return match(interests_NKD, centroids, sizes).gather(1, assignment)


def info_nce(
    users_MD: Tensor,
    targets_MD: Tensor,
    *,
    target_ids_M: Tensor,
    negatives_PD: Tensor,
    negative_ids_P: Tensor,
    log_expected: Tensor,
    scale: Tensor,
) -> Tensor:
    """InfoNCE per row, [M]: each user vector against its target and a shared pool of P negatives.

    log_expected [P] or [M, P] is the log of each negative's expected count in
    the whole pool; it is subtracted from the negatives' logits, never from the
    positive's. A pool draw that is the target itself, or closer to it than
    cosine 0.98, is masked (it would be a false negative). -inf in the logits
    comes from log_expected == +inf, which means "not in this row's pool".
    """
    positive = scale * (users_MD * targets_MD).sum(-1)
    logits = scale * (users_MD @ negatives_PD.T) - log_expected
    with torch.no_grad():
        false = target_ids_M[:, None] == negative_ids_P[None]
        false |= (targets_MD @ negatives_PD.T) > FALSE_NEGATIVE_COSINE
    logits = logits.masked_fill(false, float("-inf"))
    return torch.logsumexp(torch.cat((positive[:, None], logits), dim=1), dim=1) - positive


def unlikelihood(
    users_MD: Tensor, items_MD: Tensor, *, negatives_PD: Tensor, log_expected_P: Tensor, scale: Tensor
) -> Tensor:
    """-log(1 - p) per row, [M]: p is the item's probability among all items, estimated on the pool.

    For an impression without feedback. Its gradient grows with p, so items with
    a low probability are barely changed (Welleck et al. 2020). The pool only
    normalises; no gradient flows through it.
    """
    with torch.no_grad():
        everything = torch.logsumexp(scale * (users_MD @ negatives_PD.T) - log_expected_P, dim=1)
    return F.softplus(scale * (users_MD * items_MD).sum(-1) - everything)
