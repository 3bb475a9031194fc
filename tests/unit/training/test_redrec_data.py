from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.data.folder import DataFolder
from rayapp.training import redrec_data

T = 1_700_000_000


class Dataset:
    """Of one block, in this process."""

    def __init__(self, tables: list[pa.Table]) -> None:
        self.table = pa.concat_tables(tables)

    def repartition(self, blocks: int, keys: list[str]) -> Dataset:
        return self

    def map_batches(self, function: Any, **_: Any) -> Dataset:
        return Dataset([function(self.table)])

    def materialize(self) -> Dataset:
        return self


def test_training_sees_the_columns_in_the_names_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, folder in enumerate(("action=impression", "action=like/scenario=search")):
        parts = tmp_path / "interactions.parquet" / folder
        parts.mkdir(parents=True)
        rows = {"user_id": ["u", "v"], "item_id": [2 * n, 2 * n + 1], "timestamp": [T, T]}
        pq.write_table(pa.table(rows), parts / "part-0.parquet")
    monkeypatch.setattr(redrec_data.ray.data, "from_arrow", Dataset)
    monkeypatch.setattr(redrec_data, "BLOCK_ROWS", 3)
    data = redrec_data.training_data(DataFolder(tmp_path))
    assert (data.vocabulary.scenarios, data.vocabulary.actions) == (("homefeed", "search"), ("like",))
    sequences: Any = data.sequences
    assert [data.items[row].item_id for items in sequences.table["items"].to_pylist() for row in items] == ["2", "3"]
