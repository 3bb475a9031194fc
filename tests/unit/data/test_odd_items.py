"""What people's writers make of a catalogue: read exactly, left out and counted, or refused in one line.

The lists grow with every catalogue that was ever read wrong.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.data.catalogue import usable_items
from rayapp.data.errors import DataFolderError
from rayapp.data.parquet import read_table

T = 1_700_000_000
FAR = 10**18  # microseconds: the year 33658, which Python has no date for
FILE = Path("/data/items.parquet")
ROWS = {"item_id": ["1", "2", "3"], "title": ["a", "b", "c"]}
CUT = pa.array([b"a", b"\xff", b"c"]).view(pa.string())  # Parquet's writers check no text


def items(columns: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return usable_items(pa.table({**ROWS, **columns}), FILE)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([Decimal(1), Decimal(2), Decimal(3)]),
        pa.array([b"1", b"2", b"3"]),
        pa.array([b"1", b"2", b"3"], pa.large_binary()),
        pa.array([1.0, 2.0, 3.0], pa.float16()),
        pa.array([1, 2, 3]).dictionary_encode(),
        pa.array(["1", "2", "3"], pa.string_view()),
    ],
    ids=lambda ids: str(ids.type),
)
def test_ids_are_what_they_are_in_interactions(ids: pa.Array) -> None:
    assert list(items({"item_id": ids})[0]) == ["1", "2", "3"]


def test_texts_that_a_writer_has_as_bytes_are_texts() -> None:
    found, notices = items({"title": pa.array([b"\xc3\xa4", b"b", b"c"]), "kind": pa.array([b"ad"] * 3)})
    assert (found["1"].title, found["1"].kind, notices) == ("ä", "ad", [])


@pytest.mark.parametrize(
    "times",
    [
        {"timestamp": pa.array([T, None, T])},
        {"timestamp": pa.array([T * 10**6, None, T * 10**6], pa.timestamp("us"))},
        {"timestamp": pa.array([T * 10**6, None, T * 10**6], pa.timestamp("us", tz="Moon/Crater"))},
        {"timestamp_ms": pa.array([T * 1000, None, None]), "timestamp": pa.array([9 * 10**12, None, T])},
        {"timestamp_ms": pa.nulls(3), "timestamp": pa.array([float(T), None, float(T)])},
    ],
    ids=str,
)
def test_times_are_exact_and_gaps_stay(times: dict[str, pa.Array]) -> None:
    found, notices = items(times)
    assert [item.timestamp_ms for item in found.values()] == [T * 1000, None, T * 1000]
    assert notices == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp": pa.array([T * 10**6, FAR, None], pa.timestamp("us"))}, "timestamp: .* is no time"),
        ({"timestamp": pa.array([T * 10**9, T * 10**9, 5], pa.timestamp("ns"))}, "timestamp: .* is no time"),
        ({"timestamp": pa.array([T, T * 1000, None])}, "looks like milliseconds"),
        ({"image": ["a.png", "a\0.png", None]}, "is no path"),
        ({"title": ["a", None, "c"]}, "title is missing"),
        ({"genre": CUT}, "a value cannot be read: .*utf-8"),
        ({"title": CUT}, "a value cannot be read: .*utf-8"),
        ({"body": pa.array([None, FAR, None], pa.timestamp("us"))}, "a value cannot be read"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_and_counted(change: dict[str, Any], reason: str) -> None:
    found, (notice,) = items(change)
    assert len(found) == 2
    assert notice.startswith(f"{FILE}: 1 of 3 rows left out: ")
    assert re.search(reason, notice)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([FAR, None, None], pa.timestamp("us")),
        pa.array([0, 0, 0], pa.timestamp("us", tz="Moon/Crater")),
        pa.array([[FAR], [], None], pa.list_(pa.timestamp("us"))),
        pa.array([{"a": FAR}, None, None], pa.struct([("a", pa.timestamp("us"))])),
        pa.array([2**62, None, None], pa.duration("s")),
        pa.array([b"\xff", None, None]),
        pa.array([1.5, None, None], pa.float16()),
    ],
    ids=lambda column: str(column.type),
)
def test_a_further_column_without_text_costs_no_row(column: pa.Array) -> None:
    found, notices = items({"more": column})
    assert len(found) == 3
    assert notices == [f"{FILE}: columns without text are left out: more"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"item_id": CUT}, "column 'item_id' holds bytes that are not UTF-8"),
        ({"item_id": pa.array([[1], [2], [3]])}, "column 'item_id' has the type"),
        ({"author": pa.array([1e300, 1.0, 1.0])}, "column 'author' holds floating-point numbers"),
        ({"timestamp": pa.array([True, None, None])}, "column 'timestamp' has the type"),
        ({"title": pa.array([FAR] * 3, pa.timestamp("us"))}, "3 of 3 rows cannot be used: a value cannot be read"),
    ],
)
def test_a_column_that_cannot_be_used_is_one_line(change: dict[str, Any], text: str) -> None:
    with pytest.raises(DataFolderError, match=text) as error:
        items(change)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(FILE))


def test_a_file_that_may_not_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "items.parquet"
    pq.write_table(pa.table(ROWS), file)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("rayapp.data.parquet.pq.ParquetFile", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataFolderError, match=r"items.parquet cannot be read: Permission denied; "):
        read_table(file)


ARRAYS = st.sampled_from(
    [
        pa.array(["a", "", None]),
        CUT,
        pa.array([T, 0, None]),
        pa.array([T * 1000, -1, 2**62]),
        pa.array([1.0, float("inf"), float("nan")]),
        pa.array([1.0, 0.5, None], pa.float16()),
        pa.array([True, False, None]),
        pa.array([b"a", b"\xff", None]),
        pa.array([b"ab", b"cd", None], pa.binary(2)),
        pa.array([FAR, 0, None], pa.timestamp("us")),
        pa.array([T, 2**62, None], pa.timestamp("s", tz="Moon/Crater")),
        pa.array([1, None, 2], pa.date32()),
        pa.array([1, None, 2], pa.time64("ns")),
        pa.array([1, None, 2], pa.duration("ns")),
        pa.array([Decimal("1.5"), None, Decimal(7)]),
        pa.array([["a"], [], None], pa.list_(pa.string())),
        pa.array(["x", "y", "x"]).dictionary_encode(),
        pa.array([{"a": 1}, None, {}], pa.struct([("a", pa.int64())])),
        pa.array([[("k", "v")], [], None], pa.map_(pa.string(), pa.string())),
        pa.nulls(3),
    ]
)
NAMES = st.sampled_from(
    ["item_id", "title", "body", "tags", "image", "kind", "author", "timestamp", "timestamp_ms", "extra", "more", ""]
)


@given(st.dictionaries(NAMES, ARRAYS))
def test_any_table_is_usable_items_or_an_error_of_ours(columns: dict[str, pa.Array]) -> None:
    try:
        found, notices = items(columns)
    except DataFolderError as error:
        assert "\n" not in str(error)
        return
    assert found
    assert not [notice for notice in notices if "\n" in notice]
