"""Several ranked lists into one: reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CONSTANT = 60  # theirs


def reciprocal_rank_fusion(lists: Sequence[Iterable[str]], weights: Sequence[float]) -> dict[str, float]:
    """Scores by id, best first: 1 for what leads every list, less the further down and the fewer lists it is in.

    Ranks, not scores, are added up: those of BM25 and of an embedding have no common scale.
    """
    if len(lists) != len(weights):
        raise ValueError(f"{len(lists)} lists and {len(weights)} weights; give one each")
    total = sum(weights)
    scores: dict[str, float] = {}
    for ranked, weight in zip(lists, weights, strict=True):
        for rank, item in enumerate(ranked):
            scores[item] = scores.get(item, 0.0) + weight / total * (CONSTANT + 1) / (CONSTANT + 1 + rank)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))
