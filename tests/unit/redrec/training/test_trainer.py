"""An epoch is a function of weights, optimiser and seed: a run that is cut off ends where it would have."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rayapp.data.sequences import EventSequence
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.heads import ItemTower
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.training.batching import Batcher
from rayapp.redrec.training.trainer import (
    TrainConfig,
    Trainer,
    scenario_counts,
    scenario_items,
    start_ids,
    target_counts,
)

ITEMS = 60
SETTINGS = TrainConfig(
    model=ModelConfig(dim=8, width=16, layers=1, heads=2, length=6, interests=2),
    batch=16,
    negatives=12,
    in_batch=8,
    hard=4,
)


def sequences() -> list[EventSequence]:
    rng = np.random.default_rng(0)
    ones = np.ones(6, dtype=np.int64)
    return [EventSequence(rng.choice(ITEMS, 6, replace=False), ones, ones, np.arange(6) * 60) for _ in range(64)]


def trainer() -> Trainer:
    rows = sequences()
    torch.manual_seed(0)
    content = torch.cat([torch.randn(ITEMS, 8), torch.zeros(1, 8)])
    model = RedRec(SETTINGS.model, Vocabulary(("feed",), ("click",)), content)
    counts = target_counts(rows, ITEMS)
    sampler = NegativeSampler(
        scenario_items(rows, ITEMS, 1), counts, uniform=SETTINGS.negatives, in_batch=8, seed=0, hard=SETTINGS.hard
    )
    made = Trainer(SETTINGS, model, sampler=sampler, batcher=Batcher(SETTINGS.batching, ITEMS, 1, counts))
    made.progress = 0.1
    return made


def run(one: Trainer, epochs: range) -> list[float]:
    return [one.epoch(sequences(), np.random.default_rng([3, epoch])) for epoch in epochs]


def test_a_run_that_was_cut_off_ends_with_the_same_weights() -> None:
    whole, first, second = trainer(), trainer(), trainer()
    losses = run(whole, range(4))
    begun = run(first, range(2))
    torch.rand(100)  # whatever else happened in the process
    second.model.load_state_dict(first.model.state_dict())
    second.optimiser.load_state_dict(copy.deepcopy(first.optimiser.state_dict()))
    assert begun + run(second, range(2, 4)) == losses
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    assert losses[-1] < losses[0]


def test_workers_take_as_many_steps_as_they_agreed_on() -> None:
    one, steps = trainer(), []
    one.epoch(sequences(), np.random.default_rng(0), lambda loss: bool(steps.append(loss)) or True, steps=11)
    assert len(steps) == 11  # the eight batches, and three of them again


def test_items_are_counted_in_the_scenario_of_the_event() -> None:
    two = np.array([1, 2, 1])
    row = EventSequence(np.array([4, 4, 5]), two, two, two)
    counts = scenario_counts([row], 6, 2)
    assert counts[1].tolist() == [0, 0, 0, 0, 1, 1]
    assert counts[2].tolist() == [0, 0, 0, 0, 1, 0]
    assert {s: rows.tolist() for s, rows in scenario_items([row], 6, 2).items()} == {1: [4, 5], 2: [4]}


@pytest.mark.parametrize("file", sorted(Path("jobs/configs").glob("[!r]*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_settings_are_settings(file: Path) -> None:
    settings = msgspec.yaml.decode(file.read_bytes(), type=TrainConfig)
    assert settings.batching.length == settings.model.length


def test_ids_start_where_users_put_them_and_nowhere_for_unseen_items() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.choice(10, 4, replace=False) + 10 * (user % 2) for user in range(120)]
    torch.manual_seed(0)
    tower = ItemTower(30, 8, 8, dropout=0.0, use_ids=True, id_dropout=0.0)
    random = tower.ids.weight.detach().clone()
    start_ids(tower, groups, warm=False)
    assert not tower.ids.weight[20:].any()
    assert torch.equal(tower.ids.weight[:20], random[:20])
    start_ids(tower, groups, warm=True)
    near = F.normalize(tower.ids.weight[:20], dim=-1)
    cosine = near @ near.T
    assert cosine[:10, :10].mean() > cosine[:10, 10:].mean() + 0.2
    assert torch.allclose(tower.ids.weight[:20].norm(dim=-1), torch.tensor(0.5), atol=1e-5)
    assert not tower.ids.weight[20:].any()
