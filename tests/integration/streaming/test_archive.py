"""The archive on a real broker and store: nothing twice, nothing of who was forgotten, a data folder at the end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import redis

from rayapp.config import Config
from rayapp.data.folder import DataFolder
from rayapp.domain import Item
from streaming.archive import (
    archived,
    behaviour_rows,
    ends,
    forgotten_rows,
    note_forgotten,
    rewrite,
    write_catalogue,
    write_rows,
)
from streaming.producer import EventProducer, Record
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.windows import plan_window

DAY_MS = 86_400_000


def produce(config: Config, values: list[dict | str]) -> None:
    producer = EventProducer(config.broker)
    topic = config.topic("behaviour")
    records = [
        Record(topic, v["user_id"], msgspec.json.encode(v)) if isinstance(v, dict) else Record(topic, "x", v.encode())
        for v in values
    ]
    producer.send_all(records, timeout_s=20)
    producer.close()


START_MS = 1_700_000_000_000


def click(user: str, n: int, item: str = "i1") -> dict:
    return {
        "event_id": f"e{n}",
        "user_id": user,
        "item_id": item,
        "scenario": "homefeed",
        "action": "click",
        "timestamp_ms": START_MS + 1000 * n,
        "received_ms": START_MS + 1000 * n,
    }


def run(config: Config, root: Path) -> int:
    """What the job does with the behaviour topic, reading in this process."""
    topic, kept, at = config.topic("behaviour"), 0, ends(root, "behaviour")
    marks = watermarks(consumer_for(config.broker), topic)
    while (plan := plan_window(0, topic, at, marks, max_rows=7)) is not None:
        for rows in read_ranges(config.broker, plan.ranges):
            note_forgotten(root, forgotten_rows(rows, topic, config.scenarios))
            kept += write_rows(root, "behaviour", rows, behaviour_rows(topic, config.scenarios))
        at.update(plan.ends())
    return kept


def files(root: Path) -> dict[str, int]:
    return {str(f.relative_to(root)): f.stat().st_mtime_ns for f in root.rglob("*.parquet")}


def test_it_goes_on_where_it_stopped_and_a_second_run_changes_nothing(stream: Config, tmp_path: Path) -> None:
    produce(stream, [*(click(f"u{n % 5}", n) for n in range(20)), "not JSON", click("u1", 3)])
    assert run(stream, tmp_path) == 21
    first = files(tmp_path)
    assert run(stream, tmp_path) == 0
    assert files(tmp_path) == first
    produce(stream, [click("u9", 100)])
    assert run(stream, tmp_path) == 1
    assert {name: at for name, at in files(tmp_path).items() if name in first} == first
    parts = archived(tmp_path, "behaviour")
    for partition in {r.partition for r in parts}:
        own = [r for r in parts if r.partition == partition]
        assert [r.first for r in own] == [0, *(r.end for r in own[:-1])]


def test_a_further_text_named_as_a_field_ruins_no_other_item(tmp_path: Path) -> None:
    """Such items were accepted once."""
    fields = {**dict.fromkeys(Item.__struct_fields__, "zzz"), "timestamp": "1"}
    assert (
        write_catalogue(tmp_path, [Item("bad", "Bad", extra=fields), Item("good", "Good", extra={"genre": "a"})]) == 2
    )
    found = pq.read_table(tmp_path / "items.parquet").to_pylist()
    assert [(row["item_id"], row["title"], row["genre"]) for row in found] == [
        ("bad", "Bad", None),
        ("good", "Good", "a"),
    ]


def test_it_is_a_data_folder_with_every_event_once(stream: Config, store: redis.Redis, tmp_path: Path) -> None:
    del store
    search = {**click("u1", 50), "scenario": "search", "query": "cats"}
    del search["item_id"]
    produce(stream, [click("u1", 1), click("u1", 1), click("u2", 2, "i2"), search])
    run(stream, tmp_path)
    write_catalogue(tmp_path, [Item("i1", "One", extra={"genres": "a"}), Item("i2", "Two", tags=("x", "y"))])
    folder = DataFolder(tmp_path)
    rows = folder.interactions().to_pylist()
    assert sorted((r["user_id"], r["item_id"], r["timestamp_ms"]) for r in rows) == [
        ("u1", "i1", START_MS + 1000),
        ("u2", "i2", START_MS + 2000),
    ]
    items = {item.item_id: item for item in folder.items()}
    assert items["i1"].extra == {"genres": "a"}
    assert items["i2"].tags == ("x", "y")
    before = folder.digest()
    produce(stream, [click("u3", 9)])
    run(stream, tmp_path)
    assert DataFolder(tmp_path).digest() != before


def test_a_forgotten_user_is_not_read_and_after_a_rewrite_not_there(stream: Config, tmp_path: Path) -> None:
    produce(stream, [click("gone", 1), click("stays", 2)])
    run(stream, tmp_path)
    produce(stream, [{"forget": True, "user_id": "gone", "received_ms": 5}])
    produce(stream, [click("gone", 6)])  # who comes back starts anew
    run(stream, tmp_path)
    users = [r["user_id"] for r in DataFolder(tmp_path).interactions().to_pylist()]
    assert sorted(users) == ["gone", "stays"]
    raw = [r.file for r in archived(tmp_path, "behaviour")]
    assert sum(pq.read_table(f, partitioning=None)["user_id"].to_pylist().count("gone") for f in raw) == 2
    assert rewrite(tmp_path) == 1
    left = [e for f in raw for e in pq.read_table(f, partitioning=None)["event_id"].to_pylist()]
    assert sorted(left) == ["e2", "e6"]
    assert rewrite(tmp_path) == 0
