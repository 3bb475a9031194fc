"""Id embeddings: who gets one, what a step does to it, and that it comes back from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rayapp.config import OnlineSettings
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Action, Event, Item
from rayapp.redrec.model.artifact import ItemSpace, load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors, NewItem, load_index_delta
from rayapp.redrec.online.learner_state import LearnerState, LogRow
from rayapp.redrec.online.online_model import Memory, OnlineModel
from rayapp.redrec.online.prequential import positive_ranks
from rayapp.redrec.online.reservoir import Reservoir

# Even items have a text, odd ones are known by their id alone.
ITEMS = [Item(item_id=f"i{n}", title=f"i{n}" if n % 2 else f"a title {n}") for n in range(20)]


@pytest.fixture
def trained(tmp_path: Path) -> tuple[RedRec, ItemSpace]:
    torch.manual_seed(0)
    content = torch.cat([torch.randn(20, 12).half().float(), torch.zeros(1, 12)])
    model = RedRec(ModelConfig(dim=8, width=16, heads=2, length=10), Vocabulary(("homefeed",), ("click",)), content)
    save_space(tmp_path / "space", model.eval(), ITEMS, "enc")
    save_user_side(tmp_path, model.user)
    return model, ItemSpace(tmp_path / "space", model_description(model, "enc"))


def online(model: RedRec, space: ItemSpace, folder: Path, **settings: object) -> OnlineModel:
    values = {"lr": 1e-3, "negatives": 32, "in_batch": 8, "replay": 0.0, **settings}
    user = load_user_side(folder, model_description(model, "enc"))
    all_ids = settings.get("id_embeddings") == "all"
    memory = Memory(LearnerState(10), Reservoir(10, 10), Frequency())
    return OnlineModel(user, ItemVectors(space, all_ids), OnlineSettings(**values), memory)  # type: ignore[arg-type]


def clicks(items: list[str], user: str = "u") -> list[LogRow]:
    return [
        LogRow(Event(f"{user}{n}", user, "homefeed", Action.CLICK, n, n, item_id=i), n) for n, i in enumerate(items)
    ]


def learn(model: OnlineModel, rows: list[LogRow], steps: int = 20) -> None:
    examples, _ = model.advance(rows)
    for number in range(steps):
        model.learn(model.prepare(examples), number)


def test_ids_without_text_learn_and_those_with_text_stay(trained: tuple[RedRec, ItemSpace], tmp_path: Path) -> None:
    model = online(*trained, tmp_path)
    before = model.items.vectors.copy()
    learn(model, clicks(["i0", "i1", "i2", "i3"]))
    moved = {model.items.ids[row] for row in np.flatnonzero((model.items.vectors != before).any(1))}
    assert {"i1", "i3"} <= moved
    assert all(int(i[1:]) % 2 for i in moved)
    assert np.allclose(np.linalg.norm(model.items.vectors, axis=1), 1, atol=1e-5)


def test_all_ids_may_learn(trained: tuple[RedRec, ItemSpace], tmp_path: Path) -> None:
    model = online(*trained, tmp_path, id_embeddings="all")
    learn(model, clicks(["i0", "i2"]))
    assert {"i0", "i2"} <= set(model.items.learned())


def test_a_new_item_without_text_is_found_after_a_few_clicks(trained: tuple[RedRec, ItemSpace], tmp_path: Path) -> None:
    """Two users with different tastes, two new articles that only an id tells apart."""
    model = online(*trained, tmp_path, id_lr=0.1)
    nothing = model.items.vectors[1].tobytes()
    model.items.add([NewItem("left", None, nothing, False), NewItem("right", None, nothing, False)])
    model.advance([*clicks(["i0", "i2"], "l"), *clicks(["i10", "i12"], "r")])
    rows = [
        LogRow(Event(f"{u}-new", u, "homefeed", Action.CLICK, 99, 99, item_id=i), 99)
        for u, i in (("l", "left"), ("r", "right"))
    ]
    examples, _ = model.advance(rows)
    for number in range(60):
        model.learn(model.prepare(examples), number)
    positives = model.prepare(examples).positives
    assert positive_ranks(model.user, positives, model.items).tolist() == [1, 1]


def test_what_was_learned_comes_back_and_is_the_index_delta(trained: tuple[RedRec, ItemSpace], tmp_path: Path) -> None:
    model = online(*trained, tmp_path)
    model.items.add([NewItem("new", "homefeed", model.items.vectors[0].tobytes(), False)])
    learn(model, clicks(["i1", "new", "i2"]))
    (tmp_path / "version").mkdir()
    model.items.save(tmp_path / "version")
    again = ItemVectors.load(trained[1], tmp_path / "version")
    assert again.ids == model.items.ids
    assert np.array_equal(again.vectors, model.items.vectors)
    assert np.array_equal(again._energy[: len(again.ids)], model.items._energy[: len(again.ids)])
    delta = load_index_delta(tmp_path / "version")
    assert {"i1", "new"} <= set(delta)
    assert "i2" not in delta
    assert all(np.array_equal(v, model.items.vectors[model.items.rows[i]]) for i, v in delta.items())


def test_rows_survive_growth(trained: tuple[RedRec, ItemSpace]) -> None:
    items = ItemVectors(trained[1])
    rng = np.random.default_rng(0)
    added = {f"n{n}": rng.normal(size=8).astype(np.float32) for n in range(3000)}
    for item_id, vector in added.items():
        items.add([NewItem(item_id, None, vector.tobytes(), True)])
    assert len(items.vectors) == 3020
    assert all(np.array_equal(items.vectors[items.rows[i]], v) for i, v in added.items())
