"""Item vectors by id in one space: those of the item table, and later items as they become known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rayapp.redrec.artifact import ItemSpace

# ids -> [(id, the item's own scenario, content vector or None when gone)]
ContentSource = Callable[[list[str]], list[tuple[str, "str | None", "np.ndarray | None"]]]


class ItemVectors:
    """Looks items up; unknown ones are asked for once per call of `learn` and projected by content."""

    def __init__(self, space: ItemSpace, source: ContentSource) -> None:
        self.space = space
        self.source = source
        self.ids: list[str] = list(space.ids)
        self.vectors: np.ndarray = space.project(space.content.float().numpy(), space.ids)
        self.scenarios: list[str | None] = list(space.scenarios)
        self.rows: dict[str, int] = dict(space.rows)

    def learn(self, ids: set[str]) -> None:
        """Make as many of these ids known as the source can."""
        missing = sorted(i for i in ids if i not in self.rows)
        found = [(i, scenario, content) for i, scenario, content in self.source(missing) if content is not None]
        if not found:
            return
        names = [i for i, _, _ in found]
        vectors = self.space.project(np.stack([content for _, _, content in found]), names)
        for row, (item_id, scenario, _) in enumerate(found, start=len(self.ids)):
            self.rows[item_id] = row
            self.ids.append(item_id)
            self.scenarios.append(scenario)
        self.vectors = np.concatenate([self.vectors, vectors])

    def __call__(self, item_id: str) -> tuple[np.ndarray, str | None] | None:
        row = self.rows.get(item_id)
        return None if row is None else (self.vectors[row], self.scenarios[row])
