"""The two simple recommenders every table shows beside the model."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from rayapp.data.cooccurrence import item_cosines


class Popularity:
    """Ranks items by their number of interactions in training, for every user."""

    def __init__(self, histories: list[np.ndarray], items: int) -> None:
        self.counts = np.bincount(np.concatenate(histories), minlength=items).astype(np.float32)

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """[B, I]"""
        return np.tile(self.counts, (len(histories), 1))


class ItemKNN:
    """Item-to-item cosine of binary user vectors, history items weighted by recency.

    score(i) = sum over the history, newest first at rank r, of decay**r * cosine(i, item_r).
    """

    def __init__(self, histories: list[np.ndarray], items: int, decay: float = 0.8, window: int = 50) -> None:
        self.similarity = item_cosines(histories, items)
        self.decay = decay
        self.window = window
        self.items = items

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """[B, I]"""
        rows, columns, weights = [], [], []
        for row, history in enumerate(histories):
            recent = history[-self.window :][::-1]
            rows.append(np.full(len(recent), row))
            columns.append(recent)
            weights.append(self.decay ** np.arange(len(recent)))
        profile = sp.csr_matrix(
            (np.concatenate(weights).astype(np.float32), (np.concatenate(rows), np.concatenate(columns))),
            shape=(len(histories), self.items),
        )
        return (profile @ self.similarity).toarray()
