"""What is learned of items that a user has had before."""

from __future__ import annotations

import numpy as np
import torch

from rayapp.redrec.batching import BatchConfig, Batcher
from rayapp.redrec.data_folder import Sequence
from rayapp.redrec.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.model import ModelConfig, RedRec, before
from rayapp.redrec.negatives import NegativeSampler
from rayapp.redrec.split import leave_one_out
from rayapp.redrec.trainer import TrainConfig, Trainer, scenario_items, target_counts
from rayapp.redrec.vocabulary import Vocabulary

ITEMS, USERS, LENGTH = 60, 200, 8
SETTINGS = ModelConfig(dim=16, width=16, layers=1, heads=2, interests=1, length=LENGTH, dropout=0.0, repeats=True)


def test_what_a_user_had_before_a_cut_counts_once() -> None:
    which, item = before(torch.tensor([[3, 1, 3], [0, 4, 4]]), torch.tensor([0, 0, 1, 1]), torch.tensor([1, 3, 0, 3]))
    assert list(zip(which.tolist(), item.tolist(), strict=True)) == [(0, 3), (1, 3), (1, 1), (3, 0), (3, 4)]


def sequences(again: bool) -> list[Sequence]:
    """Users who never take an item twice, or who take the last one again."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(USERS):
        items = rng.choice(ITEMS, LENGTH, replace=False)
        if again:
            items[1::2] = items[::2]
        ones = np.ones(LENGTH, dtype=np.int64)
        found.append(Sequence(items.astype(np.int64), ones, ones, np.arange(LENGTH) * 60))
    return found


def trained(rows: list[Sequence]) -> RedRec:
    torch.manual_seed(0)
    config = TrainConfig(model=SETTINGS, window=1, cuts=LENGTH, batch=32, lr=0.02, negatives=ITEMS, in_batch=0)
    content = torch.cat([torch.randn(ITEMS, 8), torch.zeros(1, 8)])
    model = RedRec(SETTINGS, Vocabulary(("homefeed",), ("click",)), content)
    counts = target_counts(rows, ITEMS)
    sampler = NegativeSampler(scenario_items(rows, ITEMS, 1), counts, ITEMS, 0, 0)
    trainer = Trainer(config, model, sampler, Batcher(BatchConfig(LENGTH, 1, LENGTH), ITEMS, 1, counts))
    trainer.progress = 0.1
    for epoch in range(6):
        trainer.epoch(rows, np.random.default_rng(epoch))
    return model


def test_what_never_comes_again_is_ranked_last_and_what_does_is_not() -> None:
    never = trained(sequences(again=False))
    assert never.user.repeat_penalty is not None
    assert never.user.repeat_penalty[1] > 2
    _, split = leave_one_out(sequences(again=False), 1)
    found = evaluate(split, model_scorer(never.user, all_item_vectors(never), split))
    assert abs(found["kept"]["hr@10"] - found["masked"]["hr@10"]) < 0.05
    often = trained(sequences(again=True))
    assert often.user.repeat_penalty is not None
    assert often.user.repeat_penalty[1] < 0
