"""A behaviour log that is not perfect: what can be used is, the rest is counted and named."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.data.errors import DataFolderError
from streaming.replay import LogFile

SCENARIOS = ("homefeed", "search")
CLICK = {"user_id": "r", "item_id": "note-00011", "scenario": "homefeed", "action": "click"}


def log(folder: Path, *lines: object, name: str = "events.jsonl") -> LogFile:
    folder.mkdir(exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / name).write_text(f"{text}\n")
    return LogFile(folder / name, SCENARIOS)


def test_the_same_place_in_two_files_is_two_events(tmp_path: Path) -> None:
    (first,) = log(tmp_path / "d1", CLICK).events()
    (second,) = log(tmp_path / "d2", {**CLICK, "item_id": "note-00022"}).events()
    assert first.event_id != second.event_id


def test_a_file_counts_once_however_often_and_under_whatever_name_it_is_sent(tmp_path: Path) -> None:
    lines = [CLICK, {**CLICK, "user_id": "s"}, CLICK]
    ids = [event.event_id for event in log(tmp_path, *lines).events()]
    assert len(set(ids)) == 3  # the same line twice is two clicks
    assert [event.event_id for event in log(tmp_path, *lines, name="other.jsonl").events()] == ids
    moved = [event.event_id for event in log(tmp_path, "", *lines, name="moved.ndjson").events()]
    assert moved == ids


def test_a_bad_line_costs_itself_alone_and_is_named(tmp_path: Path) -> None:
    bad = ["not json", {**CLICK, "user_id": ""}, "[1]", {**CLICK, "action": "view"}, "[" * 100_000]
    file = log(tmp_path, CLICK, *bad, {**CLICK, "user_id": "s"})
    assert [event.user_id for event in file.events()] == ["r", "s"]
    assert "5 of 7 rows left out" in file.report()
    assert "line 2" in file.report()


@pytest.mark.parametrize(
    ("lines", "text"), [(["not json"], "line 1 is not JSON"), ([{**CLICK, "user_id": ""}], "user_id")]
)
def test_a_log_of_which_nothing_can_be_used_is_one_line(tmp_path: Path, lines: list, text: str) -> None:
    with pytest.raises(DataFolderError, match=text) as error:
        list(log(tmp_path, *lines).events())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["log.csv", "log.txt", "log"])
def test_another_kind_of_file_is_refused_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFolderError, match=r"is no \.jsonl"):
        log(tmp_path, CLICK, name=name)


def test_a_parquet_log_is_read_as_a_data_folder_is(tmp_path: Path) -> None:
    rows = {"user_id": ["u", "", "v"], "item_id": [1, 2, 3], "timestamp": [1_700_000_002, 1_700_000_001, 1_700_000_000]}
    pq.write_table(pa.table(rows), tmp_path / "log.parquet")
    file = LogFile(tmp_path / "log.parquet", SCENARIOS)
    assert [(event.user_id, event.item_id) for event in file.events()] == [("v", "3"), ("u", "1")]
    assert "1 of 3 rows left out: user_id is empty" in file.report()


def test_a_folder_is_no_file_of_lines(tmp_path: Path) -> None:
    (tmp_path / "dir.jsonl").mkdir()
    with pytest.raises(DataFolderError, match="is a folder; give one of its files"):
        LogFile(tmp_path / "dir.jsonl", SCENARIOS)
