from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from rayapp.data.folder import DataFolder
from rayapp.data.sample_world import TROLL, is_harmful, write_sample_world


def test_the_same_seed_is_the_same_world_and_another_is_not(tmp_path: Path) -> None:
    sizes = {"notes": 120, "ads": 30, "users": 20}
    worlds = [DataFolder(write_sample_world(tmp_path / str(n), **sizes, seed=n // 2)) for n in range(4)]
    digests = [world.digest() for world in worlds]
    assert digests[0] == digests[1] != digests[2] == digests[3]


def test_the_default_world_is_what_the_readme_says(tmp_path: Path) -> None:
    world = DataFolder(write_sample_world(tmp_path))
    items = world.items()
    assert Counter(i.kind for i in items) == {"note": 2400, "ad": 240}
    assert len({i.tags[0] for i in items}) == 30
    assert all(i.title and i.body and i.author for i in items)
    harmful = [i for i in items if is_harmful(i)]
    assert len(harmful) == 104
    assert len({i.tags[0] for i in harmful}) == 30
    assert len({i.text for i in items}) == len(items), "no two are alike"
    assert not any(TROLL in i.text or "{" in i.text for i in items)
    table = world.interactions()
    assert len(set(table["user_id"].to_pylist())) == 600
    assert set(table["scenario"].to_pylist()) == {"homefeed", "search", "ads"}
    assert table["timestamp_ms"].to_pylist() == sorted(table["timestamp_ms"].to_pylist())
    kinds = {i.item_id: i.kind for i in items}
    raw = pq.read_table(tmp_path / "interactions.parquet").to_pylist()
    assert all((kinds[r["item_id"]] == "ad") == (r["scenario"] == "ads") for r in raw)
    assert all(r["query"] for r in raw if r["scenario"] == "search")


def test_users_stay_with_a_few_topics(tmp_path: Path) -> None:
    world = DataFolder(write_sample_world(tmp_path))
    topics = {i.item_id: i.tags[0] for i in world.items()}
    seen: dict[str, Counter] = {}
    for row in world.interactions().to_pylist():
        seen.setdefault(row["user_id"], Counter())[topics[row["item_id"]]] += 1
    shares = [sum(n for _, n in c.most_common(4)) / c.total() for c in seen.values()]
    assert sum(shares) / len(shares) > 0.8
