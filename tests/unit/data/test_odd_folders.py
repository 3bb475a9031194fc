"""What people's writers make of a data folder: read exactly, left out and counted, or refused in one line.

The lists grow with every folder that was ever read wrong.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.errors import DataFolderError
from rayapp.data.folder import DataFolder, bootstrap_events
from rayapp.data.interactions import normalise_interactions, usable_interactions
from rayapp.validation import parse_event

T = 1_700_000_000
DAY = pd.Timestamp(T, unit="s")
ROWS = {"user_id": ["u", "v", "w"], "item_id": [1, 2, 3], "timestamp": [T, T + 1, T + 2]}


def written(folder: Path, interactions: Any, items: Any = None) -> DataFolder:
    for name, table in (("interactions", interactions), ("items", items)):
        if table is not None:
            whole = table if isinstance(table, pa.Table) else pa.table(table)
            pq.write_table(whole, folder / f"{name}.parquet")
    return DataFolder(folder)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([T] * 3),
        pa.array([float(T)] * 3),
        pa.array([Decimal(T)] * 3),
        pa.array([DAY] * 3, pa.timestamp("s")),
        pa.array([DAY] * 3, pa.timestamp("ms")),
        pa.array([DAY] * 3, pa.timestamp("us")),
        pa.array([DAY] * 3, pa.timestamp("ns")),
        pa.array([DAY.tz_localize("UTC")] * 3, pa.timestamp("us", tz="UTC")),
        pa.array([DAY.tz_localize("UTC")] * 3, pa.timestamp("ms", tz="Asia/Shanghai")),
        pa.array([DAY.isoformat()] * 3),
        pa.array([f"{DAY.isoformat()}Z"] * 3),
        pa.array([str(T)] * 3),
        pa.array([DAY.isoformat()] * 3).dictionary_encode(),
        pa.array([DAY.isoformat()] * 3, pa.large_string()),
    ],
    ids=lambda a: str(a.type),
)
def test_every_type_of_time_is_the_same_moment(tmp_path: Path, times: pa.Array) -> None:
    table = written(tmp_path, {**ROWS, "timestamp": times}).interactions()
    assert table["timestamp_ms"].to_pylist() == [T * 1000] * 3


def test_a_data_frame_with_datetimes_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS)
    frame["timestamp"] = pd.to_datetime(frame.timestamp, unit="s")
    frame.to_parquet(tmp_path / "interactions.parquet")
    assert DataFolder(tmp_path).interactions()["timestamp_ms"].to_pylist() == [1000 * t for t in ROWS["timestamp"]]


def test_dates_are_midnight(tmp_path: Path) -> None:
    table = written(tmp_path, {**ROWS, "timestamp": pa.array([datetime.date(2023, 11, 14)] * 3)}).interactions()
    assert table["timestamp_ms"][0].as_py() == 1_699_920_000_000


@pytest.mark.parametrize(
    ("column", "factor", "hint"),
    [
        ("timestamp", 1000, "looks like milliseconds: send it as timestamp_ms"),
        ("timestamp", 10**6, "looks like microseconds"),
        ("timestamp", 10**9, "looks like nanoseconds"),
        ("timestamp_ms", 1, "looks like seconds: send it as timestamp"),
        ("timestamp_ms", 10**6, "looks like microseconds|looks like nanoseconds"),
        ("timestamp", 1 / 86_400, "times are from 1973 to 2100"),
    ],
)
def test_times_in_another_unit_refuse_the_folder_with_a_hint(
    tmp_path: Path, column: str, factor: float, hint: str
) -> None:
    rows = {"user_id": ["u"] * 3, "item_id": [1, 2, 3], column: [int((T + n) * factor) for n in range(3)]}
    with pytest.raises(DataFolderError, match=hint):
        written(tmp_path, rows).interactions()


@pytest.mark.parametrize("kind", [pa.bool_(), pa.list_(pa.int64()), pa.binary(), pa.struct([("a", pa.int64())])])
def test_a_type_that_holds_no_time_is_named(tmp_path: Path, kind: pa.DataType) -> None:
    with pytest.raises(DataFolderError, match="column 'timestamp' has the type"):
        written(tmp_path, {**ROWS, "timestamp": pa.array([None] * 3, kind)}).interactions()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([7, 2**53 + 1, -1]), ["7", str(2**53 + 1), "-1"]),
        (pa.array([2**64 - 1, 0, 1], pa.uint64()), [str(2**64 - 1), "0", "1"]),
        (pa.array([7.0, 2.0**53, 0.0]), ["7", str(2**53), "0"]),
        (pa.array([Decimal(5), Decimal(10**25), Decimal(1)]), ["5", str(10**25), "1"]),
        (pa.array(["a/b", "\u00e4", " "]), ["a/b", "\u00e4", " "]),
        (pa.array([b"a", b"b", b"c"]), ["a", "b", "c"]),
        (pa.array([7.0, 2.0, 0.0], pa.float16()), ["7", "2", "0"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([1, 2, 1]).dictionary_encode(), ["1", "2", "1"]),
        (pa.array(["a", "b", "c"], pa.large_string()), ["a", "b", "c"]),
        (pa.array(["a", "b", "c"], pa.string_view()), ["a", "b", "c"]),
        (pa.array(pd.array([1, 2, 3], dtype="Int64")), ["1", "2", "3"]),
    ],
    ids=lambda a: str(getattr(a, "type", "")),
)
def test_ids_are_exact(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    table = written(tmp_path, {**ROWS, "user_id": ids}).interactions()
    assert table["user_id"].to_pylist() == expected


@pytest.mark.parametrize("ids", [[76561198000000001.0, 1.0, 2.0], [0.5, 1.0, 2.0], [1e300, 1.0, 2.0], [True] * 3])
def test_ids_that_are_not_exact_are_refused(tmp_path: Path, ids: list[Any]) -> None:
    with pytest.raises(DataFolderError, match="column 'user_id'"):
        written(tmp_path, {**ROWS, "user_id": ids}).interactions()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user_id": ["", "v", "w"]}, "user_id is empty"),
        ({"user_id": [None, "v", "w"]}, "user_id is empty"),
        ({"user_id": ["x" * 300, "v", "w"]}, "user_id has more than 256"),
        ({"user_id": [1.0, np.nan, 2.0]}, "user_id is empty"),
        ({"item_id": [1, None, 3]}, "item_id is empty"),
        ({"timestamp": [T, None, T]}, "timestamp is empty"),
        ({"timestamp": [T, float("nan"), T]}, "timestamp is empty"),
        ({"timestamp": [T, 1, T]}, "times are from 1973"),
        ({"timestamp": [T, 4_000_000_000, T]}, "later than now"),
        ({"timestamp": [str(T), "yesterday", str(T)]}, "'yesterday' is no time"),
        ({"scenario": ["a", "", "b"]}, "scenario is empty"),
        ({"query": ["a", "b" * 1001, "c"]}, "query has more than 1,000"),
        ({"action": ["click", "view", None]}, "action 'view' is unknown; use impression"),
        ({"position": [1.0, 0.5, None]}, "position is no whole number"),
        ({"position": pa.array([1, 2**64 - 1, 3], pa.uint64())}, "position is no whole number"),
        ({"timestamp": pa.array([T, 10**12, T], pa.timestamp("s"))}, "is no time"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_and_counted(tmp_path: Path, change: dict, reason: str) -> None:
    folder = written(tmp_path, {**ROWS, **change})
    assert folder.interactions().num_rows == 2
    (notice,) = folder.notices
    assert "1 of 3 rows left out: " in notice
    assert reason in notice
    for event in bootstrap_events(folder):  # what is sent is what every consumer takes
        assert parse_event({"user_id": event.user_id, "item_id": event.item_id, "scenario": event.scenario,
                            "action": event.action.value, "timestamp_ms": event.timestamp_ms},
                           (event.scenario,), event.received_ms).user_id == event.user_id  # fmt: skip


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"action": ["Click"] * 3}, "3 of 3 rows cannot be used: action 'Click' is unknown; use impression, click"),
        ({"action": [1] * 3}, "column 'action' has the type int64"),
        ({"position": [0.1, 0.5, 2.0]}, "2 of 3 rows cannot be used: position is no whole number"),
        ({"position": ["a"] * 3}, "column 'position' has the type"),
        ({"user_id": pa.array([b"a", b"\xff", b"c"]).view(pa.string())}, "column 'user_id' holds bytes that are not"),
        ({"timestamp": [None] * 3}, "3 of 3 rows cannot be used: timestamp is empty"),
        ({"query": [1] * 3}, "column 'query' has the type"),
        ({"user_id": [["a"], ["b"], ["c"]]}, "column 'user_id' has the type"),
        ({"user_id": [""] * 3}, "3 of 3 rows cannot be used: user_id is empty"),
    ],
)
def test_a_column_that_cannot_be_used_is_one_line(tmp_path: Path, change: dict, text: str) -> None:
    with pytest.raises(DataFolderError, match=text) as error:
        written(tmp_path, {**ROWS, **change}).interactions()
    assert "\n" not in str(error.value)
    assert "interactions.parquet" in str(error.value)


def test_positions_with_a_gap_are_read(tmp_path: Path) -> None:
    assert written(tmp_path, {**ROWS, "position": [1.0, np.nan, 2.0]}).interactions()["position"].to_pylist() == [
        1,
        0,
        2,
    ]


def test_a_folder_of_parts_is_a_table(tmp_path: Path) -> None:
    parts = tmp_path / "interactions.parquet"
    parts.mkdir()
    for n in range(2):
        pq.write_table(pa.table({**ROWS, "user_id": [f"u{n}"] * 3}), parts / f"part-{n:05d}-abc.snappy.parquet")
    (parts / "_SUCCESS").touch()
    (parts / ".part-00000.crc").write_bytes(b"x")
    folder = DataFolder(tmp_path)
    assert set(folder.interactions()["user_id"].to_pylist()) == {"u0", "u1"}
    before = folder.digest()
    pq.write_table(pa.table(ROWS), parts / "part-00002.parquet")
    assert DataFolder(tmp_path).digest() != before


def put(file: Path, rows: Any = ROWS) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), file)


@pytest.mark.parametrize(
    ("folder", "column", "value"),
    [
        ("action=impression", "action", "impression"),
        ("scenario=search", "scenario", "search"),
        ("scenario=a%2Fb c", "scenario", "a/b c"),
        ("scenario=__HIVE_DEFAULT_PARTITION__", "scenario", "homefeed"),
        ("year=2023/action=like", "action", "like"),
        ("user_id=007", "user_id", "007"),
        ("_x=1/query=q", "query", "q"),
    ],
)
def test_the_name_of_a_folder_is_a_column(tmp_path: Path, folder: str, column: str, value: str) -> None:
    parts = tmp_path / "action=like" / "interactions.parquet"  # what is above the table is none of it
    put(parts / folder / "part-0.parquet", {name: values for name, values in ROWS.items() if name != column})
    data = DataFolder(parts.parent)
    assert data.interactions()[column].to_pylist() == [value] * 3
    if column != "action":
        assert data.interactions()["action"].to_pylist() == ["click"] * 3


def test_a_column_of_the_file_goes_before_the_folder_and_parts_differ(tmp_path: Path) -> None:
    parts = tmp_path / "interactions.parquet"
    put(parts / "action=like" / "0.parquet", {**ROWS, "action": ["share"] * 3})
    put(parts / "action=follow" / "0.parquet")
    put(parts / "0.parquet")
    assert sorted(DataFolder(tmp_path).interactions()["action"].to_pylist()) == sorted(["share", "follow", "click"] * 3)


def test_items_have_the_columns_of_their_folders(tmp_path: Path) -> None:
    put(tmp_path / "interactions.parquet")
    put(tmp_path / "items.parquet" / "kind=ad" / "0.parquet", {"item_id": [1], "title": ["an ad"]})
    put(tmp_path / "items.parquet" / "kind=note" / "0.parquet", {"item_id": [2], "title": ["a note"]})
    assert [(item.item_id, item.kind) for item in DataFolder(tmp_path).items()] == [("1", "ad"), ("2", "note")]


@pytest.mark.parametrize(
    "hidden",
    [
        "_temporary/0/_temporary/attempt_0/part-0.parquet",
        ".ipynb_checkpoints/part-0-checkpoint.parquet",
        "_delta_log/00000000000000000010.checkpoint.parquet",
        "action=like/_temporary/part-0.parquet",
        "_part-0.parquet",
        "._part-0.parquet",
    ],
)
def test_what_is_hidden_is_no_part_of_the_table(tmp_path: Path, hidden: str) -> None:
    parts = tmp_path / "interactions.parquet"
    put(parts / "part-0.parquet")
    before = DataFolder(tmp_path).digest()
    put(parts / hidden)
    folder = DataFolder(tmp_path)
    assert folder.interactions().num_rows == 3
    assert folder.digest() == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it is empty"),
        (b"user_id,item_id,timestamp\n1,2,3\n", "as CSV does"),
        (b'{"user_id": 1}\n', "it holds JSON"),
        (b"PAR1" + b"\0" * 300, "cut off or damaged"),
        (b"\x89PNG\r\n\x1a\n", "Parquet with"),
    ],
)
def test_a_file_that_is_no_parquet_says_what_it_is(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "interactions.parquet").write_bytes(content)
    with pytest.raises(DataFolderError, match=text) as error:
        DataFolder(tmp_path).interactions()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [4, 10, 200, -20, -4])
def test_a_truncated_file_is_one_line_with_its_name(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "interactions.parquet"
    pq.write_table(pa.table(ROWS), file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataFolderError, match="interactions.parquet cannot be read as Parquet"):
        DataFolder(tmp_path).interactions()


@pytest.mark.parametrize(
    ("name", "text"), [("interactions.csv", "it has interactions.csv"), ("data.jsonl", "it has data.jsonl")]
)
def test_another_name_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(DataFolderError, match=text):
        DataFolder(tmp_path)


def test_no_rows_and_no_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="no such folder"):
        DataFolder(tmp_path / "nowhere")
    with pytest.raises(DataFolderError, match="has no rows"):
        written(tmp_path, pa.table(ROWS).slice(0, 0)).interactions()


def test_a_catalogue_counts_what_it_repeats_and_leaves_out(tmp_path: Path) -> None:
    items = pa.Table.from_pylist(
        [
            {
                "item_id": 1.0,
                "title": "first",
                "genres": ["Drama", "Thriller"],
                "price": 3.5,
                "timestamp": float("nan"),
            },
            {"item_id": 2.0, "title": None, "genres": None, "price": 1.0, "timestamp": 1.7e9},
            {"item_id": 1.0, "title": "again", "genres": ["Drama"], "price": 2.0, "timestamp": 1.7e9},
            {"item_id": 3.0, "title": "third", "genres": ["x"], "price": 2.0, "timestamp": 4e9},
        ]
    )
    folder = written(tmp_path, ROWS, items)
    found = {item.item_id: item for item in folder.items()}
    assert list(found) == ["1", "3"]
    assert found["1"].title == "again"
    assert found["1"].text == "again. Drama"
    assert found["3"].timestamp_ms is not None
    assert found["3"].timestamp_ms < 2_000_000_000_000
    notices = " ".join(folder.notices)
    assert "1 of 4 rows left out: title is missing" in notices
    assert "1 rows repeat an item_id" in notices
    assert "columns without text are left out: price" in notices


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ({"title": ["a"]}, "no column 'item_id'"),
        ({"item_id": [1], "name": ["a"]}, "title is missing"),
        ({"item_id": [7.6561198e16], "title": ["a"]}, "floating-point"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_one_line(tmp_path: Path, items: dict, text: str) -> None:
    with pytest.raises(DataFolderError, match=text):
        written(tmp_path, ROWS, items).items()


kinds = st.sampled_from(
    [
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.bool_(),
        pa.timestamp("us"),
        pa.list_(pa.string()),
        pa.binary(),
        pa.null(),
        pa.float16(),
        pa.duration("ms"),
        pa.timestamp("s", tz="Moon/Crater"),
        pa.decimal128(20, 2),
        pa.binary(1),
    ]
)
SAMPLES: dict[pa.DataType, list[Any]] = {
    pa.int64(): [0, T, T * 1000, -1, 2**62],
    pa.float64(): [0.5, float(T), float("nan"), float("inf"), 1e300],
    pa.string(): ["", "u", "click", str(T), "2024-01-05", "x" * 300],
    pa.bool_(): [True, False],
    pa.timestamp("us"): [DAY, pd.Timestamp("1960-01-01")],
    pa.list_(pa.string()): [["a"], []],
    pa.binary(): [b"a", b"\xff"],
    pa.null(): [None],
    pa.float16(): [0.5, 1.0, float("inf")],
    pa.duration("ms"): [1],
    pa.timestamp("s", tz="Moon/Crater"): [T, 2**40, 2**62],
    pa.decimal128(20, 2): [Decimal("0.5"), Decimal(T)],
    pa.binary(1): [b"a", b"\xff"],
}


@given(st.data())
def test_any_table_is_usable_events_or_an_error_of_ours(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 6))
    columns = {}
    for name in data.draw(st.sets(st.sampled_from([*ROWS, "timestamp_ms", "scenario", "action", "query", "position"]))):
        kind = data.draw(kinds)
        values = st.sampled_from([*SAMPLES[kind], None])
        columns[name] = pa.array(data.draw(st.lists(values, min_size=rows, max_size=rows)), kind)
    try:
        usable, left_out = usable_interactions(pa.table(columns))
    except DataFolderError as error:
        assert "\n" not in str(error)
        return
    assert usable.num_rows + left_out.rows == rows
    for row in usable.drop_columns(["position"]).to_pylist():
        parse_event(row, (row["scenario"],), row["timestamp_ms"])
    if rows and 2 * left_out.rows <= rows:
        assert normalise_interactions(pa.table(columns)).num_rows == usable.num_rows
