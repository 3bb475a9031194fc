"""From a user's events to the user tower's input, shared by the request path and the online learner."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from rayapp.data.sequences import EventSequence
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Event
from rayapp.redrec.model.batch import END_OF_TIME, Batch
from rayapp.redrec.model.mixing import Mixer
from rayapp.redrec.model.padding import pad
from rayapp.redrec.model.redrec import UserSide

# item id -> (vector [D], the item's own scenario); None: the item is unknown here
ItemLookup = Callable[[str], "tuple[np.ndarray, str | None] | None"]


class TowerInput(NamedTuple):
    """One user's mixed sequence with the vectors [L, D] of its items."""

    sequence: EventSequence
    vectors: np.ndarray
    item_ids: list[str]


class Behaviour(NamedTuple):
    """A positive event in a history; sorts by time, then by event id."""

    timestamp_ms: int
    event_id: str
    item_id: str
    scenario: str
    action: str


def behaviour_of(event: Event) -> Behaviour | None:
    """None for events that are not positive (impressions, hides) or have no item (searches)."""
    if not event.is_positive or event.item_id is None:
        return None
    return Behaviour(event.timestamp_ms, event.event_id, event.item_id, event.scenario, event.action.value)


def tower_input(history: list[Behaviour], lookup: ItemLookup, vocabulary: Vocabulary, mixer: Mixer) -> TowerInput:
    """The behaviours with known items, in time order, mixed over scenarios."""
    rows, vectors, ids = [], [], []
    for behaviour in sorted(history):
        item = lookup(behaviour.item_id)
        if item is None:
            continue
        vector, item_scenario = item
        scenario = vocabulary.scenario(behaviour.scenario, item_scenario)
        rows.append((0, scenario, vocabulary.action(behaviour.action), behaviour.timestamp_ms // 1000))
        vectors.append(vector)
        ids.append(behaviour.item_id)
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    sequence = EventSequence(*table.T)
    keep = mixer.choose(sequence.scenarios)
    dim = len(vectors[0]) if vectors else 0
    chosen = np.array(vectors, dtype=np.float32).reshape(len(vectors), dim)[keep]
    return TowerInput(sequence.take(keep), chosen, [ids[i] for i in keep])


def tower_batch(inputs: list[TowerInput], scenario_rows: list[np.ndarray], dim: int) -> tuple[Batch, torch.Tensor]:
    """Users side by side: (batch, vectors [B, L, D]); user b has the queries of the scenarios scenario_rows[b]."""
    batch = pad([i.sequence for i in inputs], 0)
    B, L = batch.items_BL.shape
    C = max(len(rows) for rows in scenario_rows)
    vectors = torch.zeros(B, L, dim)
    cuts = torch.zeros(B, C, dtype=torch.long)
    scenarios = torch.ones(B, C, dtype=torch.long)
    for b, (user, rows) in enumerate(zip(inputs, scenario_rows, strict=True)):
        n = len(user.sequence.items)
        if n:
            vectors[b, :n] = torch.from_numpy(user.vectors)
        cuts[b] = n
        scenarios[b, : len(rows)] = torch.from_numpy(rows)
    batch = batch._replace(
        cut_BC=cuts, cut_scenario_BC=scenarios, cut_seconds_BC=torch.full((B, C), END_OF_TIME, dtype=torch.long)
    )
    return batch, vectors


def user_interests(user: UserSide, inputs: list[TowerInput], scenario_rows: list[np.ndarray]) -> list[np.ndarray]:
    """For each user the interests [S', K, D] of the requested scenarios."""
    batch, vectors = tower_batch(inputs, scenario_rows, user.config.dim)
    with torch.inference_mode():
        interests = user(batch, vectors).numpy()
    return [interests[b, : len(rows)] for b, rows in enumerate(scenario_rows)]


def distinct(interests_KD: np.ndarray, threshold: float = 0.98) -> np.ndarray:
    """[K', D]: interests without those closer than cosine `threshold` to an earlier one (RED-Rec, section 3.3)."""
    similarity = interests_KD @ interests_KD.T
    rows: list[int] = []
    for n in range(len(interests_KD)):
        if all(similarity[n, m] <= threshold for m in rows):
            rows.append(n)
    return interests_KD[rows]
