"""A window's examples as input of the user tower."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from rayapp.redrec.model.history import TowerInput, tower_batch, tower_input
from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import JoinedExample


class LabelledExample(NamedTuple):
    """An example with the tower's input, the scenarios of its queries, and the table rows of its items."""

    example: JoinedExample
    input: TowerInput
    queries: np.ndarray
    rows: list[int]
    weight: float = 1.0


class Window(NamedTuple):
    """A window's examples in log order; positives have one item each."""

    positives: list[LabelledExample]
    negatives: list[LabelledExample]
    unknown_items: int


def mentioned(examples: list[JoinedExample]) -> set[str]:
    """All items of these examples and their histories."""
    return {i for e in examples for i in (*e.item_ids, *(b.item_id for b in e.history))}


def prepare(examples: list[JoinedExample], items: ItemVectors, user: UserSide, negative_weight: float = 1.0) -> Window:
    """Examples with their known items; positives on unknown items are counted."""
    window = Window([], [], 0)
    unknown = 0
    for example in examples:
        rows = [items.rows[i] for i in example.item_ids if i in items.rows]
        if not rows:
            unknown += example.positive
            continue
        name = example.scenario if example.scenario in user.vocabulary.scenarios else items.scenarios[rows[0]]
        read = tower_input(example.history, items, user.vocabulary, user.mixer)
        queries = user.vocabulary.query_scenarios(name or "")
        weight = 1.0 if example.positive else negative_weight
        labelled = LabelledExample(example, read, queries, rows, weight)
        (window.positives if example.positive else window.negatives).append(labelled)
    return window._replace(unknown_items=unknown)


def interests_of(user: UserSide, rows: list[LabelledExample]) -> tuple[torch.Tensor, torch.Tensor]:
    """Interest vectors of all queries: ([B, C*K, D], mask of those that are not padding [B, C*K])."""
    batch, vectors = tower_batch([r.input for r in rows], [r.queries for r in rows], user.config.dim)
    interests_BCKD = user(batch, vectors)
    queries = torch.tensor([len(r.queries) for r in rows])
    real_BC = torch.arange(interests_BCKD.shape[1])[None] < queries[:, None]
    return interests_BCKD.flatten(1, 2), real_BC.repeat_interleave(interests_BCKD.shape[2], dim=1)
