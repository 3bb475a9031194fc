"""Evaluation with full ranking, history items kept and masked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rayapp.data.split import Split
from rayapp.redrec.evaluation.metrics import summarise, target_ranks
from rayapp.redrec.model.padding import pad
from rayapp.redrec.model.redrec import RedRec, UserSide

Scorer = Callable[[list[int]], np.ndarray]


def evaluate(
    split: Split,
    scorer: Scorer,
    *,
    batch: int = 512,
    users: np.ndarray | None = None,
    candidates: dict[int, np.ndarray] | None = None,
) -> dict[str, dict]:
    """{"kept": metrics, "masked": metrics}; `scorer` gives [B, I] scores of the split's targets by index.

    `users`, `candidates`: see `ranks_of`.
    """
    ranks_by_mask = ranks_of(split, scorer, batch=batch, users=users, candidates=candidates)
    return {mask: summarise(ranks) for mask, ranks in ranks_by_mask.items()} | {
        "users": {"count": len(ranks_by_mask["kept"])}
    }


def ranks_of(
    split: Split,
    scorer: Scorer,
    *,
    batch: int = 512,
    users: np.ndarray | None = None,
    candidates: dict[int, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """{"kept": [N], "masked": [N]}: the targets' ranks with history items among the candidates and without.

    `users`: indices of the targets to rank (default: all). `candidates`: by scenario a mask [I] of the items to rank
    (default: all items).
    """
    chosen = np.arange(len(split.targets)) if users is None else users
    kept, masked = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for start in range(0, len(chosen), batch):
        index = chosen[start : start + batch]
        scores = scorer(index.tolist())
        if candidates is not None:
            for row, scenario in enumerate(split.target_scenario[index]):
                scores[row, ~candidates[int(scenario)]] = -np.inf
        targets = split.targets[index]
        kept.append(target_ranks(scores.copy(), targets))
        masked.append(target_ranks(scores, targets, [split.histories[i].items for i in index]))
    return {"kept": np.concatenate(kept), "masked": np.concatenate(masked)}


def model_scorer(user: UserSide, vectors_ID: Tensor, split: Split) -> Scorer:
    """score(i) = max over the target scenario's interests of the cosine; vectors are those of all I items."""
    items = len(vectors_ID)
    table = torch.cat([vectors_ID, vectors_ID.new_zeros(1, user.config.dim)])
    user.eval()

    def score(index: list[int]) -> np.ndarray:
        histories = [split.histories[i] for i in index]
        batch = pad([h.take(user.mixer.choose(h.scenarios)) for h in histories], items)
        batch = batch._replace(
            cut_scenario_BC=torch.from_numpy(split.target_scenario[index])[:, None],
            cut_seconds_BC=torch.from_numpy(split.target_seconds[index])[:, None],
        ).to(vectors_ID.device)
        with torch.inference_mode():
            interests = user(batch, table[batch.items_BL])[:, 0]
            scores = torch.einsum("bkd,id->bki", interests, vectors_ID).amax(1).float()
            if user.repeat_penalty is not None:
                penalty_B = (user.repeat_penalty / user.scale)[batch.cut_scenario_BC[:, 0]].tolist()
                for row, (history, penalty) in enumerate(zip(histories, penalty_B, strict=True)):
                    scores[row, np.unique(history.items)] -= penalty
            return scores.cpu().numpy()

    return score


def all_item_vectors(model: RedRec) -> Tensor:
    """[I, D] in evaluation mode."""
    model.eval()
    model.read_items()
    with torch.inference_mode():
        return model.item_vectors(torch.arange(len(model.content) - 1, device=model.content.device))
