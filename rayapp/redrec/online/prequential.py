"""Prequential evaluation: a window's positives are ranked among all known items before training on them."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch

from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.window import LabelledExample, interests_of

CHUNK = 64  # bounds the [CHUNK, queries, items] scores


def positive_ranks(user: UserSide, positives: list[LabelledExample], items: ItemVectors) -> np.ndarray:
    """Rank (from 1, ties count against the model) of each positive's item among all known ones, int64 [N]."""
    return ranks_among(user, positives, items.vectors)


def ranks_among(
    user: UserSide, positives: list[LabelledExample], vectors_ID: np.ndarray, bias_I: np.ndarray | None = None
) -> np.ndarray:
    """As positive_ranks over any table; with a bias the score is scale * cosine + bias."""
    user.eval()
    table = torch.from_numpy(vectors_ID)
    ranks = []
    with torch.inference_mode():
        for start in range(0, len(positives), CHUNK):
            part = positives[start : start + CHUNK]
            interests_BQD, real_BQ = interests_of(user, part)
            scores_BQI = (interests_BQD @ table.T).masked_fill_(~real_BQ[..., None], -torch.inf)
            scores_BI = scores_BQI.amax(1)
            if bias_I is not None:
                scores_BI = user.scale * scores_BI + torch.from_numpy(bias_I)
            target_B1 = scores_BI.gather(1, torch.tensor([[p.rows[0]] for p in part]))
            # Negated, because NaN compares as false: a broken model would otherwise rank every target first.
            ranks.append((~(scores_BI < target_B1)).sum(1))
    return torch.cat(ranks).numpy() if ranks else np.zeros(0, dtype=np.int64)


def rank_metrics(ranks: np.ndarray) -> dict[str, float]:
    return {
        "hr@10": float(np.mean(ranks <= 10)),
        "hr@50": float(np.mean(ranks <= 50)),
        "mrr": float(np.mean(1 / ranks)),
        "count": float(len(ranks)),
    }


def evaluate_window(
    user: UserSide, positives: list[LabelledExample], items: ItemVectors
) -> dict[str, dict[str, float]]:
    """Prequential HR@10, HR@50 and MRR per scenario."""
    ranks = positive_ranks(user, positives, items)
    scenarios = np.array([p.example.scenario for p in positives])
    return {
        name: rank_metrics(ranks[scenarios == name]) for name in dict.fromkeys(p.example.scenario for p in positives)
    }


class RecentScores:
    """Prequential metrics of the last `windows` windows."""

    def __init__(self, windows: int = 20) -> None:
        self.scores: deque[dict[str, dict[str, float]]] = deque(maxlen=windows)

    def add(self, scores: dict[str, dict[str, float]]) -> None:
        if scores:
            self.scores.append(scores)

    def means(self) -> dict[str, float]:
        """Means weighted by positives; empty without any."""
        rows = [values for window in self.scores for values in window.values()]
        count = sum(v["count"] for v in rows)
        if not count:
            return {}
        return {m: sum(v[m] * v["count"] for v in rows) / count for m in ("hr@10", "hr@50", "mrr")} | {"count": count}
