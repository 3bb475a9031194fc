"""Full-ranking metrics: HR and NDCG at several cut-offs, and MRR."""

from __future__ import annotations

import numpy as np

CUTOFFS = (5, 10, 50, 100)


def target_ranks(scores_BI: np.ndarray, targets_B: np.ndarray, masked: list[np.ndarray] | None = None) -> np.ndarray:
    """Rank (1 is best) of each row's target among all items, int64 [B].

    `masked` holds per row the item rows that may not be recommended (the
    history); the target itself always stays. A tie counts against the target:
    a constant score must not look like a good one.
    """
    rows = np.arange(len(targets_B))
    target_scores = scores_BI[rows, targets_B].copy()
    if masked is not None:
        for row, items in enumerate(masked):
            scores_BI[row, items] = -np.inf
    scores_BI[rows, targets_B] = -np.inf
    return (scores_BI >= target_scores[:, None]).sum(1) + 1


def summarise(ranks: np.ndarray) -> dict[str, float]:
    """HR@k, NDCG@k and MRR of target ranks (one relevant item a user)."""
    if not len(ranks):
        return {}
    result = {}
    for k in CUTOFFS:
        hit = ranks <= k
        result[f"hr@{k}"] = float(hit.mean())
        result[f"ndcg@{k}"] = float((hit / np.log2(ranks + 1)).mean())
    result["mrr"] = float((1 / ranks).mean())
    return result
