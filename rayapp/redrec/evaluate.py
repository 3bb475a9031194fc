"""Leave-one-out evaluation with full ranking, history items kept and masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rayapp.redrec.batching import pad
from rayapp.redrec.data_folder import Sequence
from rayapp.redrec.metrics import summarise, target_ranks
from rayapp.redrec.mixing import mix, quotas
from rayapp.redrec.model import RedRec, UserSide


class Split(NamedTuple):
    """Histories and the one target of each user; `target_scenario` picks the queries."""

    histories: list[Sequence]
    targets: np.ndarray
    target_scenario: np.ndarray
    target_seconds: np.ndarray


def leave_one_out(sequences: list[Sequence], back: int) -> tuple[list[Sequence], Split]:
    """Hold out the event `back` places from the end (1 = last = test, 2 = validation).

    Training sees what lies before it, of every user; users with too few events
    train in full and are not evaluated.
    """
    train, histories, held = [], [], []
    for sequence in sequences:
        n = len(sequence.items)
        if n < back + 1:
            train.append(sequence)
            continue
        before = sequence.take(slice(0, n - back))
        train.append(before)
        histories.append(before)
        held.append(n - back)
    owners = [s for s in sequences if len(s.items) >= back + 1]
    pick = [(s.items[i], s.scenarios[i], s.seconds[i]) for s, i in zip(owners, held, strict=True)]
    columns = np.array(pick, dtype=np.int64).reshape(-1, 3)
    return train, Split(histories, columns[:, 0], columns[:, 1], columns[:, 2])


Scorer = Callable[[list[int]], np.ndarray]


def evaluate(split: Split, scorer: Scorer, batch: int = 512, users: np.ndarray | None = None) -> dict[str, dict]:
    """{"kept": metrics, "masked": metrics}; `scorer` gives [B, I] scores of the split's users by index."""
    chosen = np.arange(len(split.targets)) if users is None else users
    kept, masked = [], []
    for start in range(0, len(chosen), batch):
        index = chosen[start : start + batch]
        scores = scorer(index.tolist())
        targets = split.targets[index]
        kept.append(target_ranks(scores.copy(), targets))
        masked.append(target_ranks(scores, targets, [split.histories[i].items for i in index]))
    none = np.empty(0, dtype=np.int64)
    return {
        "kept": summarise(np.concatenate(kept or [none])),
        "masked": summarise(np.concatenate(masked or [none])),
        "users": {"count": len(chosen)},
    }


def model_scorer(user: UserSide, vectors_ID: Tensor, split: Split) -> Scorer:
    """score(i) = max over the target scenario's interests of the cosine; vectors are those of all I items."""
    items = len(vectors_ID)
    quota = quotas(user.config.length, tuple(range(1, len(user.vocabulary.scenarios) + 1)))
    table = torch.cat([vectors_ID, torch.zeros(1, user.config.dim)])
    user.eval()

    def score(index: list[int]) -> np.ndarray:
        histories = [split.histories[i] for i in index]
        batch = pad([h.take(mix(h.scenarios, user.config.length, quota)) for h in histories], items)
        batch = batch._replace(
            cut_scenario_BC=torch.from_numpy(split.target_scenario[index])[:, None],
            cut_seconds_BC=torch.from_numpy(split.target_seconds[index])[:, None],
        )
        with torch.inference_mode():
            interests = user(batch, table[batch.items_BL])[:, 0]
            scores = torch.einsum("bkd,id->bki", interests, vectors_ID).amax(1).float()
            if user.repeats is not None:
                penalty_B = (user.repeats / user.scale)[batch.cut_scenario_BC[:, 0]].tolist()
                for row, (history, penalty) in enumerate(zip(histories, penalty_B, strict=True)):
                    scores[row, np.unique(history.items)] -= penalty
            return scores.numpy()

    return score


def all_item_vectors(model: RedRec) -> Tensor:
    """[I, D] in evaluation mode."""
    model.eval()
    with torch.inference_mode():
        return model.item_vectors(torch.arange(len(model.content) - 1))
