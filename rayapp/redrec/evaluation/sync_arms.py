"""Arms that serve one continuously trained model with different synchronisation intervals.

As in Monolith (section 3.3.2): each arm predicts with the parameters of its last
synchronisation. Every arm has the newest items in its index and the newest
histories; only learned parameters (user side and id embeddings) are older.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.online_model import OnlineModel
from rayapp.redrec.online.window import LabelledExample


class SyncArm:
    """`interval_ms` None: never synchronised; 0: always; otherwise at every multiple of it after `start_ms`."""

    def __init__(self, name: str, interval_ms: int | None, start_ms: int, model: OnlineModel) -> None:
        self.name = name
        self.interval_ms = interval_ms
        self.start_ms = start_ms
        self.period = 0
        self.user: UserSide = copy.deepcopy(model.user).eval()
        self.vectors: np.ndarray = model.items.vectors.copy()

    def sync(self, model: OnlineModel, now_ms: int) -> bool:
        """Copy the model's parameters if a synchronisation is due."""
        if self.interval_ms is None:
            return False
        period = self.period + 1 if self.interval_ms == 0 else (now_ms - self.start_ms) // self.interval_ms
        if period <= self.period:
            return False
        self.period = period
        self.user.load_state_dict(model.user.state_dict())
        self.vectors = model.items.vectors.copy()
        return True

    def table(self, model: OnlineModel) -> np.ndarray:
        """Vectors [I, D] of all items known now; those added since the last synchronisation by content only."""
        return np.concatenate([self.vectors, model.items.content_vectors(len(self.vectors))])

    def view(self, positives: list[LabelledExample], table_ID: np.ndarray, model: OnlineModel) -> list[LabelledExample]:
        """The same examples with this arm's vectors of their history items."""
        rows = [np.array([model.items.rows[i] for i in p.input.item_ids], dtype=np.int64) for p in positives]
        return [
            p._replace(input=p.input._replace(vectors=table_ID[r])) if len(r) else p
            for p, r in zip(positives, rows, strict=True)
        ]

    def state(self) -> dict[str, Any]:
        return {"period": self.period, "user": self.user.state_dict(), "vectors": self.vectors}

    def restore(self, state: dict[str, Any]) -> None:
        self.period, self.vectors = state["period"], state["vectors"]
        self.user.load_state_dict(state["user"])
