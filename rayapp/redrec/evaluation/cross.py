"""The cross-scenario protocol: targets, and their ranks under models and baselines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from rayapp.data.folder import DataFolder, item_rows, of_scenarios, vocabulary_of
from rayapp.data.sequences import EventSequence, sequences_of, user_sequences
from rayapp.data.split import Split, leave_one_out_by_scenario
from rayapp.data.vocabulary import Vocabulary
from rayapp.errors import UserError
from rayapp.redrec.evaluation.baselines import ItemKNN, Popularity
from rayapp.redrec.evaluation.evaluate import Scorer, model_scorer, ranks_of
from rayapp.redrec.model.artifact import ItemSpace, load_user_side
from rayapp.stores.registry import Registry

BASELINES = ("popularity", "item-kNN", "item-kNN, its own events")
Pair = tuple[str, str]  # user, scenario


class SeenTargets(UserError):
    """A model was trained on the targets that it should be evaluated on."""


class TargetRanks(NamedTuple):
    """Ranks of the targets [N], with history items kept and masked; `rows`: index by user and scenario."""

    rows: dict[Pair, int]
    targets: np.ndarray
    ranks: dict[str, np.ndarray]

    def of(self, pairs: list[Pair]) -> dict[str, np.ndarray]:
        index = [self.rows[pair] for pair in pairs]
        return {mask: ranks[index] for mask, ranks in self.ranks.items()}


class CrossProtocol:
    """Per user and scenario the last event (or the last but one) is the target, ranked among the scenario's items."""

    def __init__(self, folder: DataFolder, back: int) -> None:
        self.table = folder.interactions()
        self.items = item_rows(folder.items())
        self.back = back
        self.everything = vocabulary_of(self.table)
        rows = np.array([self.items.get(i, -1) for i in self.table["item_id"].to_pylist()])
        owner = np.array(self.table["scenario"].to_pylist())
        every = np.arange(len(self.items))
        self.candidates = {name: np.isin(every, rows[owner == name]) for name in self.everything.scenarios}
        _, train, _ = self.split((), self.everything)
        self.trained = np.bincount(np.concatenate([s.items for s in train]), minlength=len(self.items))

    def split(self, scenarios: tuple[str, ...], vocabulary: Vocabulary) -> tuple[list[str], list[EventSequence], Split]:
        """(user ids, training sequences, split) for data of these scenarios only."""
        table = user_sequences(of_scenarios(self.table, scenarios), vocabulary, self.items)
        train, split = leave_one_out_by_scenario(sequences_of(table), self.back)
        return table["user_id"].to_pylist(), train, split

    def judge(
        self,
        scenarios: tuple[str, ...],
        vocabulary: Vocabulary,
        scorer: Callable[[list[EventSequence], Split], Scorer],
    ) -> TargetRanks:
        users, train, split = self.split(scenarios, vocabulary)
        names = dict(enumerate(vocabulary.scenarios, start=1))
        candidates = {number: self.candidates[name] for number, name in names.items()}
        whose = zip(split.users, split.target_scenario, strict=True)
        rows = {(users[user], names[number]): n for n, (user, number) in enumerate(whose)}
        return TargetRanks(rows, split.targets, ranks_of(split, scorer(train, split), candidates=candidates))

    def baselines(self, knn_decay: float) -> dict[str, TargetRanks]:
        """Popularity within the scenario; item-kNN over a user's events in all scenarios, and in the target's scenario
        only."""
        many = len(self.items)

        def popularity(train: list[EventSequence], split: Split) -> Scorer:
            counts = Popularity([s.items for s in train], many)
            return lambda index: counts.scores([split.histories[n].items for n in index])

        def knn(train: list[EventSequence], split: Split, own_scenario: bool = False) -> Scorer:
            similar = ItemKNN([s.items for s in train], many, knn_decay)

            def read(n: int) -> np.ndarray:
                history = split.histories[n]
                return history.items[history.scenarios == split.target_scenario[n]] if own_scenario else history.items

            return lambda index: similar.scores([read(n) for n in index])

        scorers = dict(zip(BASELINES, (popularity, knn, partial(knn, own_scenario=True)), strict=True))
        return {label: self.judge((), self.everything, scorer) for label, scorer in scorers.items()}

    def of_model(self, registry: Registry) -> tuple[tuple[str, ...], TargetRanks]:
        """The scenarios it was trained on (none: all) and its ranks. Raises SeenTargets if it was trained on the
        targets."""
        number = registry.resolve("CURRENT")
        manifest = registry.manifest(number)
        recorded = manifest.metrics
        if (
            recorded.get("split") != "scenario"
            or recorded.get("holdout", 0) < 3 - self.back
            or manifest.parent is not None
        ):
            raise SeenTargets(
                f"{registry.name}@{number} has seen these targets; train with: python -m jobs.train_redrec "
                f"--split scenario --holdout 2 --name {registry.name}"
            )
        space = ItemSpace(registry.space_folder(manifest.space), manifest.config)
        if list(self.items) != space.ids:
            raise SeenTargets(
                f"{registry.name}@{number} knows {len(space.ids):,} items, the folder has {len(self.items):,}"
            )
        user = load_user_side(registry.fetch(number), manifest.config)
        vectors = torch.from_numpy(space.project(space.content.float().numpy(), space.ids))
        scenarios = tuple(recorded.get("scenarios") or ())
        return scenarios, self.judge(scenarios, user.vocabulary, lambda _, split: model_scorer(user, vectors, split))
