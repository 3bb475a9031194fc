"""The scenarios, actions and time range a model knows, and the fallback for unknown ones."""

from __future__ import annotations

import msgspec
import numpy as np

UNKNOWN = 0


class Vocabulary(msgspec.Struct, frozen=True):
    """Names to embedding rows. Row 0 stands for anything the model was not trained on.

    Serving and the online learner share this mapping, so both treat a scenario
    without training events alike: its events count under their item's scenario,
    and its requests use the queries of all trained scenarios.
    """

    scenarios: tuple[str, ...]
    actions: tuple[str, ...]
    time: tuple[int, int] = (0, 0)  # first and last second of training

    def scenario(self, name: str | None, item_scenario: str | None = None) -> int:
        for candidate in (name, item_scenario):
            if candidate in self.scenarios:
                return self.scenarios.index(candidate) + 1
        return UNKNOWN

    def action(self, name: str) -> int:
        return self.actions.index(name) + 1 if name in self.actions else UNKNOWN

    def query_scenarios(self, name: str) -> np.ndarray:
        """int64 [S']: embedding rows of the scenarios whose queries answer a request for `name`."""
        row = self.scenario(name)
        return np.array([row]) if row else np.arange(1, len(self.scenarios) + 1)
