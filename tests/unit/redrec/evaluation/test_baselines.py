from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rayapp.data.folder import DataFolder, item_rows, vocabulary_of
from rayapp.data.sequences import sequences_of, user_sequences
from rayapp.data.split import leave_one_out
from rayapp.redrec.evaluation.baselines import ItemKNN, Popularity
from rayapp.redrec.evaluation.evaluate import evaluate


def test_neighbours_are_bought_together() -> None:
    histories = [np.array([0, 1]), np.array([0, 1]), np.array([2, 3]), np.array([2, 3, 3])]
    scores = ItemKNN(histories, 4).scores([np.array([0]), np.array([2])])
    assert scores.argmax(1).tolist() == [1, 3]


def test_the_newest_item_weighs_most() -> None:
    histories = [np.array([0, 1]), np.array([2, 3])]
    assert ItemKNN(histories, 4, decay=0.5).scores([np.array([0, 2])]).argmax() == 3


def test_popularity_counts() -> None:
    assert Popularity([np.array([1, 1, 0])], 3).scores([np.array([0])] * 2).tolist() == [[1, 2, 0]] * 2


@pytest.mark.data
def test_item_knn_reaches_its_published_figures_on_beauty(data: Path) -> None:
    """../shared/data/README: recency-weighted item-kNN .0587/.0316 kept, .0724/.0437 masked."""
    folder = DataFolder(data / "amazon-beauty")
    items = folder.items()
    interactions = folder.interactions()
    sequences = sequences_of(user_sequences(interactions, vocabulary_of(interactions), item_rows(items)))
    train, test = leave_one_out(sequences, 1)
    knn = ItemKNN([s.items for s in train], len(items), decay=0.6)
    found = evaluate(test, lambda i: knn.scores([test.histories[j].items for j in i]))
    assert found["masked"]["hr@10"] > 0.070
    assert found["kept"]["hr@10"] > 0.0575
