"""The loss over several scenarios, and what is learned of items that a user has had before."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rayapp.data.sequences import EventSequence
from rayapp.data.split import leave_one_out
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.evaluation.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.loss.loss import FALSE_NEGATIVE_COSINE
from rayapp.redrec.loss.negatives import NegativePool, NegativeSampler
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.cuts import before
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.training.batching import BatchConfig, Batcher
from rayapp.redrec.training.trainer import TrainConfig, Trainer, scenario_items, target_counts

ITEMS, USERS, LENGTH = 60, 200, 8
SETTINGS = ModelConfig(dim=16, width=16, layers=1, heads=2, interests=1, length=LENGTH, dropout=0.0, repeats=True)


def test_what_a_user_had_before_a_cut_counts_once() -> None:
    which, item = before(torch.tensor([[3, 1, 3], [0, 4, 4]]), torch.tensor([0, 0, 1, 1]), torch.tensor([1, 3, 0, 3]))
    assert list(zip(which.tolist(), item.tolist(), strict=True)) == [(0, 3), (1, 3), (1, 1), (3, 0), (3, 4)]


def loss_by_hand(model: RedRec, batch: Batch, pools: dict[int, NegativePool]) -> float:
    """One target after the other: its logit against its scenario's draws, less log-Q and what repeats cost."""
    vectors, user = model.item_vectors(torch.arange(ITEMS + 1)), model.user
    interests = user(batch, vectors[batch.items_BL])
    penalty = user.repeat_penalty
    assert penalty is not None
    losses = []
    for b, c, w in batch.target_mask_BCW.nonzero().tolist():
        scenario, target = int(batch.cut_scenario_BC[b, c]), int(batch.targets_BCW[b, c, w])
        had = batch.items_BL[b, : int(batch.cut_BC[b, c])].tolist()

        def logit(item: int, scenario: int = scenario, had: list[int] = had, at: Tensor = interests[b, c, 0]) -> Tensor:
            return user.scale * (at @ vectors[item]) - penalty[scenario] * float(item in had)

        others = [
            logit(item) - expected
            for item, expected in zip(pools[scenario].rows_P.tolist(), pools[scenario].log_expected_P, strict=True)
            if item != target and vectors[item] @ vectors[target] <= FALSE_NEGATIVE_COSINE
        ]
        losses.append(torch.stack([logit(target), *others]).logsumexp(0) - logit(target))
    return float(torch.stack(losses).mean())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), drawn=st.sampled_from([20, ITEMS]))
def test_a_target_is_told_from_the_items_of_its_own_scenario(seed: int, drawn: int) -> None:
    """A step over two scenarios whose items overlap, with sampled negatives or all items."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    ones = np.ones(LENGTH, dtype=np.int64)
    rows = []
    for _ in range(12):
        scenario = rng.integers(1, 3, LENGTH)
        items = np.where(scenario == 1, rng.integers(0, 35, LENGTH), rng.integers(25, ITEMS, LENGTH))
        rows.append(EventSequence(items, scenario, ones, np.arange(LENGTH) * 60))
    config = msgspec.structs.replace(SETTINGS, id_dropout=0.0)
    content = torch.cat([torch.randn(ITEMS, 8), torch.zeros(1, 8)])
    model = RedRec(config, Vocabulary(("homefeed", "search"), ("click",)), content)
    with torch.no_grad():
        model.user.repeats.copy_(torch.tensor([0.0, 0.2, -0.1]))
    counts = target_counts(rows, ITEMS)
    batch = Batcher(BatchConfig(LENGTH, 1, LENGTH), ITEMS, 2, counts).train(rows, rng)
    sampler = NegativeSampler(scenario_items(rows, ITEMS, 2), counts, uniform=drawn, in_batch=16, seed=seed)
    pools = sampler.draw([1, 2], batch.targets_BCW[batch.target_mask_BCW])
    with torch.no_grad():
        assert float(model(batch, pools).mean) == pytest.approx(loss_by_hand(model, batch, pools), rel=1e-4)


def sequences(again: bool) -> list[EventSequence]:
    """Users who never take an item twice, or who take the last one again."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(USERS):
        items = rng.choice(ITEMS, LENGTH, replace=False)
        if again:
            items[1::2] = items[::2]
        ones = np.ones(LENGTH, dtype=np.int64)
        found.append(EventSequence(items.astype(np.int64), ones, ones, np.arange(LENGTH) * 60))
    return found


def trained(rows: list[EventSequence]) -> RedRec:
    torch.manual_seed(0)
    config = TrainConfig(model=SETTINGS, window=1, cuts=LENGTH, batch=32, lr=0.02, negatives=ITEMS, in_batch=0)
    content = torch.cat([torch.randn(ITEMS, 8), torch.zeros(1, 8)])
    model = RedRec(SETTINGS, Vocabulary(("homefeed",), ("click",)), content)
    counts = target_counts(rows, ITEMS)
    sampler = NegativeSampler(scenario_items(rows, ITEMS, 1), counts, uniform=ITEMS, in_batch=0, seed=0)
    trainer = Trainer(config, model, sampler=sampler, batcher=Batcher(BatchConfig(LENGTH, 1, LENGTH), ITEMS, 1, counts))
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
