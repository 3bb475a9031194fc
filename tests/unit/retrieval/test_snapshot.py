from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.retrieval.snapshot import Snapshot

steps = st.lists(
    st.tuples(st.sampled_from(["put", "remove"]), st.lists(st.integers(0, 40), min_size=1, max_size=12)), max_size=20
)


def vector(item: str, salt: int) -> np.ndarray:
    v = np.random.default_rng([int(item), salt]).normal(size=8).astype(np.float32)
    return v / np.linalg.norm(v)


@settings(deadline=None)
@given(steps, st.sets(st.integers(0, 40), max_size=10))
def test_any_history_of_changes_searches_like_brute_force(changes: list, excluded: set[int]) -> None:
    snapshot, truth = Snapshot(8), {}
    for salt, (kind, numbers) in enumerate(changes):
        ids = [str(n) for n in numbers]
        if kind == "put":
            snapshot.put(ids, np.stack([vector(i, salt) for i in ids]))
            truth.update({i: vector(i, salt) for i in ids})
        else:
            snapshot.remove(ids)
            for i in ids:
                truth.pop(i, None)
    assert len(snapshot) == len(truth)
    query = vector("7", 999)
    barred = {str(n) for n in excluded}
    expected = sorted((i for i in truth if i not in barred), key=lambda i: -float(truth[i] @ query))[:5]
    found = [item for item, _ in snapshot.search(query[None], 5, barred)[0]]
    assert found == expected


def test_save_and_load(tmp_path: Path) -> None:
    ids = [str(n) for n in range(10)]
    snapshot = Snapshot.build(ids, np.stack([vector(i, 0) for i in ids]))
    snapshot.remove(["3"])
    snapshot.save(tmp_path, space="s1")
    loaded, about = Snapshot.load(tmp_path)
    assert about == {"space": "s1"}
    assert set(loaded.row_of) == set(ids) - {"3"}
    assert loaded.search(vector("5", 0)[None], 1)[0][0][0] == "5"


def test_a_torn_snapshot_is_refused(tmp_path: Path) -> None:
    Snapshot.build(["1", "2"], np.eye(2, 8, dtype=np.float32)).save(tmp_path)
    text = (tmp_path / "index.json").read_text().replace('"1", ', "")
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ValueError, match="2 vectors but 1 ids"):
        Snapshot.load(tmp_path)


def test_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        Snapshot(8).put(["1"], np.zeros((1, 4), dtype=np.float32))


def test_an_empty_index_finds_nothing() -> None:
    assert Snapshot(8).search(np.zeros((2, 8), dtype=np.float32), 5) == [[], []]
