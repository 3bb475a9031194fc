"""An archive with a file that is damaged, or of something else: one line with its name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.data.errors import DataFolderError
from rayapp.data.folder import ARCHIVED, FORGOTTEN, DataFolder

PART = "behaviour/date=2023-11-14/0-0-2.parquet"
ROW = {
    "user_id": "u", "item_id": "i", "timestamp_ms": 1_700_000_000_000, "scenario": "search", "action": "like",
    "query": None, "position": 0, "event_id": "e", "partition": 0, "offset": 0, "append_ms": 5,
}  # fmt: skip


def archive(root: Path) -> None:
    (root / PART).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([ROW, {**ROW, "user_id": "v"}], schema=pa.schema(ARCHIVED)), root / PART)
    pq.write_table(pa.Table.from_pylist([{"user_id": "v", "append_ms": 9}]), root / "forgotten.parquet")


def test_a_whole_archive_is_read_without_who_is_forgotten(tmp_path: Path) -> None:
    archive(tmp_path)
    assert DataFolder(tmp_path).interactions()["user_id"].to_pylist() == ["u"]


@pytest.mark.parametrize("name", [PART, "forgotten.parquet"])
@pytest.mark.parametrize("keep", [0, 4, 100, -10])
def test_a_truncated_file_is_one_line(tmp_path: Path, name: str, keep: int) -> None:
    archive(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:keep])
    with pytest.raises(DataFolderError, match=f"{name.rpartition('/')[2]} cannot be read as Parquet") as error:
        DataFolder(tmp_path).interactions()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "rows", "text"),
    [
        (PART, {"a": [1]}, "has no column user_id"),
        (PART, {**{name: [1] for name in ARCHIVED}, "offset": ["x"]}, "column offset is no int64"),
        ("forgotten.parquet", {"user_id": ["u"]}, "has no column append_ms"),
        ("forgotten.parquet", {**{name: [1] for name in FORGOTTEN}, "append_ms": ["x"]}, "append_ms is no int64"),
    ],
)
def test_other_columns_are_one_line(tmp_path: Path, name: str, rows: dict, text: str) -> None:
    archive(tmp_path)
    pq.write_table(pa.table(rows), tmp_path / name)
    with pytest.raises(DataFolderError, match=text) as error:
        DataFolder(tmp_path).interactions()
    assert "\n" not in str(error.value)
