"""What everybody takes at the time is learned, and told by the newest event that a request may read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.sequences import EventSequence
from rayapp.data.split import leave_one_out_by_scenario
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.evaluation.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.batch import END_OF_TIME
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.model.trend import DAY_S, NEVER, Trend, moments
from rayapp.redrec.training.batching import BatchConfig, Batcher
from rayapp.redrec.training.trainer import TrainConfig, Trainer, scenario_items, target_counts

WEEKS, WEEK_S, ITEMS, USERS = 12, 7 * DAY_S, 120, 300
TIME = (1000, 1000 + WEEKS * WEEK_S)


def numbered(time: tuple[int, int] = TIME) -> Trend:
    """A trend over two scenarios whose vectors [1] say their period and scenario: 10 x period + scenario."""
    trend = Trend((7.0,), time, 2, 1)
    periods = len(trend.tables[0])
    with torch.no_grad():
        trend.tables[0].copy_(torch.arange(periods)[:, None] * 10.0 + torch.arange(3))
    return trend


@given(period=st.integers(0, WEEKS - 1), scenario=st.integers(0, 2), into=st.integers(0, WEEK_S - 1))
def test_a_time_has_the_vector_of_its_period_and_scenario(period: int, scenario: int, into: int) -> None:
    trend = numbered()
    asked = torch.tensor([[TIME[0] + period * WEEK_S + into]]), torch.tensor([[scenario]])
    assert trend(*asked).item() == pytest.approx((10 * period + scenario) * 5.0)


def test_before_training_after_it_and_never() -> None:
    trend = numbered()
    seconds = torch.tensor([[-(10**9), END_OF_TIME, NEVER, TIME[1] + 10**9]])
    last = 5.0 * (10 * WEEKS + 1)
    assert trend(seconds, torch.ones_like(seconds))[0, :, 0].tolist() == [5.0, last, 0.0, last]
    assert numbered((-(10**8), 0))(torch.tensor([[END_OF_TIME]]), torch.tensor([[1]])).item() > 0  # before 1970


def test_periods_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="wrong timestamps"):
        Trend((7.0,), (0, 10**11), 1, 4)
    with pytest.raises(ValueError, match="must be above 0"):
        Trend((7.0, 0.0), TIME, 1, 4)


def test_the_time_of_a_request_is_that_of_the_newest_event_it_may_read() -> None:
    seconds = torch.tensor([[10, 20, 30]])
    seen = torch.tensor([[[True, True, False], [False, False, False], [True, True, True]]])
    asked = torch.tensor([[25, 25, END_OF_TIME]])
    assert moments(seconds, seen, asked).tolist() == [[20, NEVER, END_OF_TIME]]


def followers_of_fashion() -> list[EventSequence]:
    """Every week everybody takes five other items in scenario 2. A user does in an early and in a late week; before the
    latter an item of scenario 1, any of ten, that says nothing but when that is."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(USERS):
        early, late = rng.integers(0, WEEKS // 2), rng.integers(WEEKS // 2, WEEKS)
        at = np.array([early, early, late, late]) * WEEK_S + np.array([0, 60, 120, 180]) + TIME[0]
        items = np.array([early, early, 22, late]) * 5 + rng.integers(0, [5, 5, 10, 5])
        found.append(EventSequence(items.astype(np.int64), np.array([2, 2, 1, 2]), np.ones(4, dtype=np.int64), at))
    return found


def hit_rate(trend_days: tuple[float, ...]) -> float:
    """HR@10 of the last items of users that training has not seen."""
    config = ModelConfig(
        dim=16, width=16, layers=1, heads=2, interests=1, length=4, dropout=0.0, id_dropout=0.0, trend_days=trend_days
    )
    settings = TrainConfig(model=config, window=1, cuts=4, batch=32, lr=0.01, negatives=ITEMS, in_batch=0)
    rows = followers_of_fashion()
    known, new = rows[: USERS // 2], rows[USERS // 2 :]
    torch.manual_seed(0)
    content = torch.cat([torch.randn(ITEMS, 8), torch.zeros(1, 8)])
    model = RedRec(config, Vocabulary(("ads", "feed"), ("click",), TIME), content)
    counts = target_counts(known, ITEMS)
    sampler = NegativeSampler(scenario_items(known, ITEMS, 2), counts, uniform=ITEMS, in_batch=0, seed=0)
    trainer = Trainer(settings, model, sampler=sampler, batcher=Batcher(BatchConfig(4, 1, 4), ITEMS, 2, counts))
    trainer.progress = 0.1
    for epoch in range(12):
        trainer.epoch(known, np.random.default_rng(epoch))
    _, split = leave_one_out_by_scenario(new, 1)
    feed = np.flatnonzero(split.target_scenario == 2)
    found = evaluate(split, model_scorer(model.user, all_item_vectors(model), split), users=feed)
    return float(found["kept"]["hr@10"])


def test_an_event_of_another_scenario_tells_what_everybody_takes_now() -> None:
    assert hit_rate((7.0,)) > 0.9
    assert hit_rate(()) < 0.75
