"""The published format, generated: read into a data folder, and bad files named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.content.item_encoder import ItemEncoder, content_key, encode_items_cached
from rayapp.content.table_encoder import TableEncoder, TableError
from rayapp.data.folder import DataFolder, item_rows, vocabulary_of
from rayapp.data.red_mmu import RedMmuError, action_of, import_red_mmu
from rayapp.data.sequences import sequences_of, user_sequences
from rayapp.domain import Action

EVENT = pa.struct(
    [
        ("ts", pa.int64()),
        ("note_id", pa.int64()),
        ("action_set", pa.string()),
        ("page_key", pa.int64()),
        ("duration", pa.int64()),
    ]
)


def event(ts: int, note: int, bits: str = "0" * 32) -> dict[str, object]:
    return {"ts": ts, "note_id": note, "action_set": bits, "page_key": 0, "duration": 12}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Six notes in two files, three users; note 5 is only ever an ad, note 99 has no embedding."""
    folder = tmp_path / "release"
    (folder / "note_embeddings").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, numbers in enumerate(([0, 1, 2], [3, 4, 5])):
        table = pa.table(
            {
                "encrypted_note_id": [f"n{n}" for n in numbers],
                "note_idx": pa.array(numbers, pa.int64()),
                "note_feature": pa.array(rng.normal(size=(3, 64)).astype(np.float32).tolist(), pa.list_(pa.float32())),
            }
        )
        pq.write_table(table, folder / "note_embeddings" / f"{part}.parquet")
    liked = "0" * 29 + "101"
    users = pa.table(
        {
            "encrypted_user_id": ["a", "b", "c"],
            "user_idx": pa.array([0, 1, 2], pa.int64()),
            "homefeed_list": pa.array(
                [[event(100, 0), event(160, 1, liked), event(90, 99)], [event(50, 2)], None], pa.list_(EVENT)
            ),
            "ads_list": pa.array([[event(130, 5)], [], [event(1_700_000_000_000, 4), event(60, 0)]], pa.list_(EVENT)),
        }
    )
    pq.write_table(users, folder / "multiscene_lastn_0.parquet")
    return folder


def test_a_release_is_a_data_folder(release: Path, tmp_path: Path) -> None:
    found = import_red_mmu(release, tmp_path / "data", {0: Action.LIKE, 2: Action.SHARE})
    assert found == (3, 6, 6, 1)
    folder = DataFolder(tmp_path / "data")
    rows = {(r["user_id"], r["item_id"]): r for r in folder.interactions().to_pylist()}
    assert rows["a", "n1"]["action"] == "share"
    assert rows["a", "n0"]["action"] == "click"
    assert rows["a", "n5"]["scenario"] == "ads"
    assert rows["c", "n4"]["timestamp_ms"] == 1_700_000_000_000
    assert rows["c", "n0"]["timestamp_ms"] == 1_577_836_860_000
    items = folder.items()
    assert [i.kind for i in items] == ["note", "note", "note", "note", "ad", "ad"]
    assert not any(i.text for i in items)
    table = folder.interactions()
    vocabulary = vocabulary_of(table)
    assert vocabulary.scenarios == ("ads", "homefeed")
    sequences = sequences_of(user_sequences(table, vocabulary, item_rows(items)))
    assert sequences[0].items.tolist() == [0, 5, 1]  # homefeed, ads, homefeed: by time


def test_its_vectors_are_the_content(release: Path, tmp_path: Path) -> None:
    import_red_mmu(release, tmp_path / "data")
    name = f"table:{tmp_path / 'data' / 'vectors.parquet'}"
    items = DataFolder(tmp_path / "data").items()
    content, unreadable = encode_items_cached(name, items, tmp_path / "cache")
    assert content.shape == (6, 64)
    assert not unreadable
    first = pq.read_table(release / "note_embeddings" / "0.parquet")["note_feature"][0].as_py()
    assert np.allclose(content[0], np.array(first) / np.linalg.norm(first), atol=1e-6)
    assert len({content_key(name, item) for item in items}) == 6
    encoder = ItemEncoder(name)
    assert not encoder.encode(["a query"]).any()
    assert not TableEncoder(name.removeprefix("table:")).of(["never seen"]).any()


def test_notes_may_be_named_by_their_encrypted_ids(release: Path, tmp_path: Path) -> None:
    named = pa.struct([("ts", pa.int64()), ("note_id", pa.string()), ("action_set", pa.string())])
    table = pa.table(
        {
            "encrypted_user_id": ["a"],
            "homefeed_list": pa.array([[{"ts": 5, "note_id": "n3", "action_set": None}]], pa.list_(named)),
        }
    )
    pq.write_table(table, release / "multiscene_lastn_0.parquet")
    assert import_red_mmu(release, tmp_path / "data").events == 1


@pytest.mark.parametrize(
    ("bits", "action"), [("", "click"), ("1", "like"), ("100", "share"), ("101", "share"), ("10", "click")]
)
def test_the_strongest_of_several_actions_counts(bits: str, action: str) -> None:
    assert action_of(bits, {0: Action.LIKE, 2: Action.SHARE}) == action


def test_bad_files_are_named(release: Path, tmp_path: Path) -> None:
    with pytest.raises(RedMmuError, match="zeros and ones"):
        action_of("12", {})
    with pytest.raises(RedMmuError, match=r"no note_embeddings\.parquet"):
        import_red_mmu(tmp_path / "release" / "note_embeddings", tmp_path / "x")
    (release / "multiscene_lastn_0.parquet").unlink()
    pq.write_table(pa.table({"user": ["a"]}), release / "multiscene_lastn_0.parquet")
    with pytest.raises(RedMmuError, match="needs encrypted_user_id"):
        import_red_mmu(release, tmp_path / "x")
    assert not (tmp_path / "x" / "interactions.parquet").exists()
    with pytest.raises(TableError, match="item_id and vector"):
        TableEncoder(str(tmp_path / "none.parquet"))
