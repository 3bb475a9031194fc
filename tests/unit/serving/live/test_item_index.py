"""One space, several versions with learned ids, a catalogue that changes under them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.redrec.model.artifact import ItemSpace, model_description, save_space
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.retrieval.snapshot import Snapshot
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.item_index import ItemIndex
from rayapp.stores.records import StoredItem

ITEMS = [Item(item_id=f"i{n}", title=f"title {n}") for n in range(6)]


@pytest.fixture
def index(tmp_path: Path) -> ItemIndex:
    torch.manual_seed(0)
    content = torch.cat([torch.randn(6, 12).half().float(), torch.zeros(1, 12)])
    model = RedRec(ModelConfig(dim=8, width=16, heads=2, length=10), Vocabulary(("homefeed",), ("click",)), content)
    vectors = save_space(tmp_path / "s", model.eval(), ITEMS, "enc")
    Snapshot.build([i.item_id for i in ITEMS], vectors).save(tmp_path / "index", space="s")
    catalogue = LiveCatalogue(reader=None)  # type: ignore[arg-type]  # changes are applied by hand
    catalogue.apply([StoredItem(i.item_id, i, c.numpy()) for i, c in zip(ITEMS, content, strict=False)])
    space = ItemSpace(tmp_path / "s", model_description(model, "enc"))
    return ItemIndex.open("s", space, saved=tmp_path / "index", learned={}, catalogue=catalogue)


def unit(n: int) -> np.ndarray:
    return np.eye(8, dtype=np.float32)[n]


def test_a_version_with_learned_ids_stands_beside_the_one_without(index: ItemIndex) -> None:
    learned = index.with_learned("s.2", {"i3": unit(0)})
    hits = learned.kinds["note"].search(unit(0)[None], 1)[0]
    assert hits == [("i3", pytest.approx(1.0))]
    assert np.array_equal(learned.lookup("i3")[0], unit(0))  # type: ignore[index]
    assert not np.array_equal(index.vectors["i3"], unit(0))
    newer = learned.with_learned("s.3", {"i4": unit(1)})
    assert np.array_equal(newer.vectors["i3"], index.vectors["i3"])


def test_changes_of_the_catalogue_reach_every_version(index: ItemIndex) -> None:
    learned = index.with_learned("s.2", {"new": unit(2)})
    assert "new" not in learned.vectors  # known to the learner, not in the catalogue
    content = np.random.default_rng(0).normal(size=12).astype(np.float32)
    index.catalogue.apply([StoredItem("new", Item(item_id="new", title="new"), content)])
    assert np.array_equal(learned.vectors["new"], unit(2))
    assert np.allclose(index.vectors["new"], index.space.project(content[None], ["new"])[0])
    index.catalogue.apply([StoredItem("new", None, None)])
    for one in (index, learned):
        assert "new" not in one.vectors
        assert "new" not in one.kinds["note"]


def test_a_closed_index_hears_nothing_more(index: ItemIndex) -> None:
    learned = index.with_learned("s.2", {})
    learned.close()
    index.catalogue.apply([StoredItem("i0", None, None)])
    assert "i0" in learned.vectors
    assert "i0" not in index.vectors
