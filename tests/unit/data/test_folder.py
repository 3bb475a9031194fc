from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.data.errors import DataFolderError
from rayapp.data.folder import DataFolder, bootstrap_events, item_rows, vocabulary_of
from rayapp.data.interactions import normalise_interactions
from rayapp.data.sequences import sequences_of, user_sequences
from rayapp.data.split import leave_one_out


def folder(path: Path, interactions: dict, items: dict | None = None) -> DataFolder:
    pq.write_table(pa.table(interactions), path / "interactions.parquet")
    if items is not None:
        pq.write_table(pa.table(items), path / "items.parquet")
    return DataFolder(path)


T = 1_700_000_000
BASIC = {
    "user_id": [1, 2, 1, 1],
    "item_id": [10, 10, 11, 12],
    "timestamp": [T + 3, T + 1, T + 1, T + 1],
    "position": [0, 0, 2, 1],
}


def test_ids_become_text_and_gaps_are_filled(tmp_path: Path) -> None:
    table = folder(tmp_path, BASIC).interactions()
    assert table["user_id"].to_pylist() == ["1", "2", "1", "1"]
    assert table["timestamp_ms"].to_pylist() == [1000 * (T + n) for n in (3, 1, 1, 1)]
    assert set(table["scenario"].to_pylist()) == {"homefeed"}
    assert set(table["action"].to_pylist()) == {"click"}


def test_without_a_catalogue_items_are_known_by_id(tmp_path: Path) -> None:
    assert [i.item_id for i in folder(tmp_path, BASIC).items()] == ["10", "11", "12"]


def test_sequences_are_in_time_order_ties_by_position(tmp_path: Path) -> None:
    data = folder(tmp_path, BASIC)
    table = data.interactions()
    rows = item_rows(data.items())
    sequences = user_sequences(table, vocabulary_of(table), rows)
    assert sequences["user_id"].to_pylist() == ["1", "2"]
    assert sequences_of(sequences)[0].items.tolist() == [rows["12"], rows["11"], rows["10"]]


def test_impressions_and_unknown_items_are_left_out(tmp_path: Path) -> None:
    data = folder(
        tmp_path,
        {**BASIC, "action": ["click", "click", "impression", "like"]},
        {"item_id": [10, 12], "title": ["a", "b"]},
    )
    table = data.interactions()
    sequences = sequences_of(user_sequences(table, vocabulary_of(table), item_rows(data.items())))
    assert [len(s.items) for s in sequences] == [2, 1]


def test_bootstrap_events_are_in_time_order_and_the_same_every_time(tmp_path: Path) -> None:
    data = folder(tmp_path, BASIC)
    events = list(bootstrap_events(data))
    assert [e.timestamp_ms for e in events] == [1000 * (T + n) for n in (1, 1, 1, 3)]
    assert events == list(bootstrap_events(data))
    assert sorted(e.event_id for e in events) == [e.event_id for e in events]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"item_id": None}, "no column 'item_id'"),
        ({"timestamp": None}, "timestamp"),
        ({"action": ["stare"] * 4}, "action 'stare' is unknown"),
    ],
)
def test_bad_folders_name_the_column(change: dict, text: str) -> None:
    columns = {k: v for k, v in {**BASIC, **change}.items() if v is not None}
    with pytest.raises(DataFolderError, match=text):
        normalise_interactions(pa.table(columns))


def test_an_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match=r"no interactions\.parquet"):
        DataFolder(tmp_path)


def test_leave_one_out_never_shows_the_target(tmp_path: Path) -> None:
    data = folder(
        tmp_path, {"user_id": [1] * 4 + [2], "item_id": [1, 2, 3, 4, 1], "timestamp": [T + n for n in (1, 2, 3, 4, 1)]}
    )
    table = data.interactions()
    sequences = sequences_of(user_sequences(table, vocabulary_of(table), item_rows(data.items())))
    for back, target in ((1, 3), (2, 2)):
        train, split = leave_one_out(sequences, back)
        assert split.targets.tolist() == [target]
        assert split.histories[0].items.tolist() == list(range(target))
        assert [len(s.items) for s in train] == [target, 1]
    assert np.array_equal(split.target_scenario, [1])
