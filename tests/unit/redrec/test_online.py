from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rayapp.domain import Action, Event, Item
from rayapp.redrec.artifact import ItemSpace, load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.history_input import Behaviour, tower_input, user_interests
from rayapp.redrec.item_vectors import ItemVectors
from rayapp.redrec.learner_state import LearnerState
from rayapp.redrec.model import ModelConfig, RedRec
from rayapp.redrec.online import OnlineTrainer, evaluate_window, prepare
from rayapp.redrec.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("beauty", "toys"), ("click",))
ITEMS = [Item(item_id=f"i{n}", title=f"item {n}", scenario="toys" if n % 2 else "beauty") for n in range(20)]


@pytest.fixture
def trained(tmp_path: Path) -> tuple[RedRec, ItemSpace, Path]:
    torch.manual_seed(0)
    content = torch.cat([torch.randn(20, 12).half().float(), torch.zeros(1, 12)])
    model = RedRec(ModelConfig(dim=8, width=16, heads=2, length=10), VOCABULARY, content).eval()
    vectors = save_space(tmp_path / "space", model, ITEMS, "enc")
    save_user_side(tmp_path, model.user)
    space = ItemSpace(tmp_path / "space", model_description(model, "enc"))
    assert np.allclose(space.project(space.content.float().numpy(), space.ids), vectors, atol=1e-6)
    return model, space, tmp_path


def events(items: list[str], scenario: str = "toys") -> list[tuple[Event, int]]:
    return [
        (Event(f"{scenario}{n}", "u", scenario, Action.CLICK, 1000 * n, 1000 * n, item_id=item), n)
        for n, item in enumerate(items)
    ]


def test_a_version_read_back_gives_the_same_interests(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, folder = trained
    items = ItemVectors(space, lambda ids: [])
    history = [Behaviour(1000 * n, f"e{n}", f"i{n}", "toys", "click") for n in range(5)]
    user = load_user_side(folder, model_description(model, "enc"))
    ask = [tower_input(history, items, VOCABULARY, 10)], [VOCABULARY.query_scenarios("toys")]
    assert np.allclose(user_interests(user, *ask)[0], user_interests(model.user.eval(), *ask)[0], atol=1e-6)


def test_users_side_by_side_get_what_they_get_alone(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, _ = trained
    items = ItemVectors(space, lambda ids: [])
    inputs = [
        tower_input([Behaviour(n, f"e{n}", f"i{n}", "toys", "click") for n in range(size)], items, VOCABULARY, 10)
        for size in (1, 4, 9)
    ]
    rows = [VOCABULARY.query_scenarios(s) for s in ("toys", "homefeed", "beauty")]
    together = user_interests(model.user.eval(), inputs, rows)
    for n in range(3):
        assert together[n].shape[0] == (2 if n == 1 else 1)
        assert np.allclose(together[n], user_interests(model.user, inputs[n : n + 1], rows[n : n + 1])[0], atol=1e-5)


def test_later_items_are_learned_about_from_the_source_and_unknown_ones_counted(
    trained: tuple[RedRec, ItemSpace, Path],
) -> None:
    model, space, _ = trained
    fresh = np.random.default_rng(0).normal(size=12).astype(np.float32)
    items = ItemVectors(space, lambda ids: [(i, "toys", fresh if i == "new" else None) for i in ids])
    examples, _ = LearnerState(10).advance(events(["new", "ghost", "i1"]))
    window = prepare(examples, items, model.user)
    assert window.unknown_items == 1
    assert [items.ids[t.row] for t in window.targets] == ["new", "i1"]


def test_a_step_is_a_function_of_window_and_seed_and_lowers_the_loss(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, folder = trained
    items = ItemVectors(space, lambda ids: [])
    state = LearnerState(10)
    state.advance(events(["i1", "i3", "i5"]))
    examples, _ = state.advance([(e, 99) for e, _ in events(["i7"], "beauty")])
    runs = []
    for _ in range(2):
        user = load_user_side(folder, model_description(model, "enc"))
        trainer = OnlineTrainer(user, lr=1e-3, clip=1.0, uniform=16, in_batch=4, seed=1)
        window = prepare(examples, items, user)
        losses = [trainer.step(window, items, number) for number in range(30)]
        runs.append((losses, [p.detach().clone() for p in user.parameters()]))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))
    assert np.mean(runs[0][0][-5:]) < np.mean(runs[0][0][:5])


def test_evaluation_ranks_among_all_items(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, _ = trained
    items = ItemVectors(space, lambda ids: [])
    examples, _ = LearnerState(10).advance(events(["i1", "i3"]))
    found = evaluate_window(model.user, prepare(examples, items, model.user), items)
    assert found["toys"]["count"] == 2
    assert 1 / 20 <= found["toys"]["mrr"] <= 1
    assert found["toys"]["hr@50"] == 1
