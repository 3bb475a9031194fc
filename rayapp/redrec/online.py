"""One online step of the user side: evaluate a window's positives, then learn from them.

Item vectors are fixed; a user's new positives are the targets, each a positive
of its nearest query (RED-Rec, section 3.4). Deterministic for a given window,
seed and starting weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from rayapp.redrec.history_input import TowerInput, tower_batch, tower_input
from rayapp.redrec.item_vectors import ItemVectors
from rayapp.redrec.learner_state import Example
from rayapp.redrec.loss import info_nce
from rayapp.redrec.model import UserSide


class Target(NamedTuple):
    """One positive: its user in the batch, the item's row, and where its scenario's cuts are."""

    user: int
    row: int
    cuts: tuple[int, ...]
    scenario: str


class Window(NamedTuple):
    """A window's examples as tensors-to-be."""

    user_ids: list[str]
    inputs: list[TowerInput]
    scenario_rows: list[np.ndarray]
    targets: list[Target]
    unknown_items: int


def prepare(examples: list[Example], items: ItemVectors, user: UserSide) -> Window:
    """Examples whose target items are known; the others are counted."""
    items.learn({b.item_id for e in examples for b in (*e.history, *e.targets)})
    user_ids, inputs, scenario_rows, targets, unknown = [], [], [], [], 0
    for example in examples:
        found = [b for b in example.targets if b.item_id in items.rows]
        unknown += len(example.targets) - len(found)
        if not found:
            continue
        cuts: dict[int, int] = {}
        for behaviour in found:
            item_scenario = items.scenarios[items.rows[behaviour.item_id]]
            name = behaviour.scenario if behaviour.scenario in user.vocabulary.scenarios else item_scenario
            rows = user.vocabulary.query_scenarios(name or "")
            places = tuple(cuts.setdefault(int(row), len(cuts)) for row in rows)
            targets.append(Target(len(inputs), items.rows[behaviour.item_id], places, behaviour.scenario))
        user_ids.append(example.user_id)
        inputs.append(tower_input(example.history, items, user.vocabulary, user.config.length))
        scenario_rows.append(np.array(list(cuts)))
    return Window(user_ids, inputs, scenario_rows, targets, unknown)


def _nearest(interests_BCKD: torch.Tensor, targets: list[Target], vectors_MD: torch.Tensor) -> torch.Tensor:
    """The interest vector nearest to each target among its scenario's queries, [M, D]."""
    chosen = []
    for target, vector in zip(targets, vectors_MD, strict=True):
        own = interests_BCKD[target.user, list(target.cuts)].flatten(0, 1)
        chosen.append(own[(own.detach() @ vector).argmax()])
    return torch.stack(chosen)


def target_ranks(user: UserSide, window: Window, items: ItemVectors, first: int | None = None) -> np.ndarray:
    """Rank (from 1, ties count against the model) of each of the `first` targets among all known items, int64."""
    user.eval()
    batch, vectors = tower_batch(window.inputs, window.scenario_rows, user.config.dim)
    table = torch.from_numpy(items.vectors)
    ranks = []
    with torch.inference_mode():
        interests = user(batch, vectors)
        for target in window.targets[:first]:
            own = interests[target.user, list(target.cuts)].flatten(0, 1)
            scores = (own @ table.T).amax(0)
            # A NaN compares as false: without this a broken model would rank everything first.
            ranks.append(int((~(scores < scores[target.row])).sum()))
    return np.array(ranks, dtype=np.int64)


def evaluate_window(user: UserSide, window: Window, items: ItemVectors) -> dict[str, dict[str, float]]:
    """Prequential HR@10, HR@50 and MRR per scenario, all known items ranked, before anything trains on them."""
    if not window.targets:
        return {}
    ranks = target_ranks(user, window, items)
    scenarios = np.array([target.scenario for target in window.targets])
    return {
        str(scenario): {
            "hr@10": float(np.mean(r <= 10)),
            "hr@50": float(np.mean(r <= 50)),
            "mrr": float(np.mean(1 / r)),
            "count": float(len(r)),
        }
        for scenario in dict.fromkeys(scenarios.tolist())
        for r in [ranks[scenarios == scenario]]
    }


class OnlineTrainer:
    """One gradient step a window: AdamW, clipping, uniform and in-window negatives with log-Q."""

    def __init__(self, user: UserSide, lr: float, clip: float, uniform: int, in_batch: int, seed: int) -> None:
        self.user = user
        self.clip = clip
        self.uniform = uniform
        self.in_batch = in_batch
        self.seed = seed
        self.optimiser = torch.optim.AdamW(user.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, window: Window, items: ItemVectors, number: int) -> float:
        """Loss of the window's mean InfoNCE; nan when there is nothing to learn."""
        if not window.targets:
            return math.nan
        torch.manual_seed(self.seed * 1_000_003 + number)
        self.user.train()
        batch, vectors = tower_batch(window.inputs, window.scenario_rows, self.user.config.dim)
        table = torch.from_numpy(items.vectors)
        rows = torch.tensor([t.row for t in window.targets])
        share = torch.bincount(rows, minlength=len(table)).float() / len(rows)
        # From the space's own table only: later items come in an order that depends on when the process started.
        base = len(items.space.ids)
        uniform = torch.randint(base, (self.uniform,))
        mixed = rows[torch.randint(len(rows), (self.in_batch,))]
        pool = torch.cat([uniform, mixed])
        log_expected = ((pool < base) * (self.uniform / base) + self.in_batch * share[pool]).log()
        targets = table[rows]
        users = _nearest(self.user(batch, vectors), window.targets, targets)
        loss = info_nce(
            users, targets, rows, F.normalize(table[pool], dim=-1), pool, log_expected, self.user.scale
        ).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.user.parameters(), self.clip)
        self.optimiser.step()
        self.user.eval()
        return float(loss.detach())
