from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.redrec.evaluation.metrics import summarise, target_ranks


def test_ranks_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.9]])
    assert target_ranks(scores.copy(), np.array([2, 2])).tolist() == [2, 1]
    assert target_ranks(scores.copy(), np.array([2, 0]), [np.array([1]), np.array([2])]).tolist() == [1, 1]


def test_the_target_stays_when_it_is_in_the_history() -> None:
    assert target_ranks(np.array([[0.3, 0.2]]), np.array([1]), [np.array([0, 1])]).tolist() == [1]


def test_a_constant_score_is_worth_nothing() -> None:
    assert target_ranks(np.zeros((1, 50)), np.array([0])).tolist() == [50]


@given(st.lists(st.integers(1, 200), min_size=1, max_size=50))
def test_summaries_are_ordered_and_bounded(ranks: list[int]) -> None:
    m = summarise(np.array(ranks))
    assert 0 <= m["ndcg@5"] <= m["ndcg@10"] <= m["ndcg@50"] <= m["ndcg@100"] <= 1
    assert m["hr@5"] <= m["hr@10"] <= m["hr@50"] <= m["hr@100"]
    assert m["ndcg@10"] <= m["hr@10"]


def test_first_place_is_one_and_second_is_discounted() -> None:
    assert summarise(np.array([1]))["ndcg@10"] == 1
    assert summarise(np.array([2]))["ndcg@10"] == pytest.approx(1 / np.log2(3))
