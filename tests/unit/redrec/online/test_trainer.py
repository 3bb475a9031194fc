from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rayapp.config import OnlineSettings
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Action, Event, Item
from rayapp.redrec.model.artifact import ItemSpace, load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.history import Behaviour, tower_input, user_interests
from rayapp.redrec.model.mixing import Mixer
from rayapp.redrec.model.redrec import ModelConfig, RedRec, UserSide
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import JoinedExample, LearnerState, LogRow
from rayapp.redrec.online.online_model import Memory, OnlineModel
from rayapp.redrec.online.prequential import evaluate_window, positive_ranks
from rayapp.redrec.online.reservoir import Reservoir
from rayapp.redrec.online.trainer import learning_rate
from rayapp.redrec.online.window import mentioned, prepare

VOCABULARY = Vocabulary(("beauty", "toys"), ("click",))
MIXER = Mixer(10, 2)
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


def events(items: list[str], scenario: str = "toys") -> list[LogRow]:
    return [
        LogRow(Event(f"{scenario}{n}", "u", scenario, Action.CLICK, 1000 * n, 1000 * n, item_id=item), n)
        for n, item in enumerate(items)
    ]


def test_a_version_read_back_gives_the_same_interests(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, folder = trained
    items = ItemVectors(space)
    history = [Behaviour(1000 * n, f"e{n}", f"i{n}", "toys", "click") for n in range(5)]
    user = load_user_side(folder, model_description(model, "enc"))
    ask = [tower_input(history, items, VOCABULARY, MIXER)], [VOCABULARY.query_scenarios("toys")]
    assert np.allclose(user_interests(user, *ask)[0], user_interests(model.user.eval(), *ask)[0], atol=1e-6)


def test_users_side_by_side_get_what_they_get_alone(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, _ = trained
    items = ItemVectors(space)
    inputs = [
        tower_input([Behaviour(n, f"e{n}", f"i{n}", "toys", "click") for n in range(size)], items, VOCABULARY, MIXER)
        for size in (1, 4, 9)
    ]
    rows = [VOCABULARY.query_scenarios(s) for s in ("toys", "homefeed", "beauty")]
    together = user_interests(model.user.eval(), inputs, rows)
    for n in range(3):
        assert together[n].shape[0] == (2 if n == 1 else 1)
        assert np.allclose(together[n], user_interests(model.user, inputs[n : n + 1], rows[n : n + 1])[0], atol=1e-5)


def test_later_items_become_known_once_and_unknown_ones_are_counted(
    trained: tuple[RedRec, ItemSpace, Path], tmp_path: Path
) -> None:
    model, space, _ = trained
    items = ItemVectors(space)
    fresh = np.random.default_rng(0).normal(size=12).astype(np.float32)
    examples, _ = LearnerState(10).advance(events(["new", "ghost", "i1"]))
    assert items.missing(mentioned(examples)) == ["ghost", "new"]
    items.add(items.project([("new", "toys", fresh, True)]))
    window = prepare(examples, items, model.user)
    assert window.unknown_items == 1
    assert [items.ids[p.rows[0]] for p in window.positives] == ["new", "i1"]
    items.add(items.project([("new", "toys", -fresh, True)]))
    items.save(tmp_path)
    again = ItemVectors.load(space, tmp_path)
    assert again.ids == items.ids
    assert np.array_equal(again.vectors, items.vectors)


def learned(
    folder: Path, model: RedRec, space: ItemSpace, rows: list[LogRow], drained: tuple[int, ...] = (), **settings: float
) -> tuple[list[float], OnlineModel, list[JoinedExample]]:
    """Thirty steps on what the last row (and what is drained) teaches, after the others."""
    values = {"lr": 3e-3, "lr_floor": 1e-3, "negatives": 16, "in_batch": 4, "seed": 1, "replay": 0.0, **settings}
    user = load_user_side(folder, model_description(model, "enc"))
    online = OnlineModel(
        user,
        ItemVectors(space),
        OnlineSettings(**values),
        Memory(LearnerState(10), Reservoir(100, 10), Frequency()),
    )
    online.advance(rows[:-1])
    examples, _ = online.advance(rows[-1:], drained)
    losses = [online.learn(online.prepare(examples), n) for n in range(30)]
    return losses, online, examples


def test_steps_are_a_function_of_window_and_seed_and_lower_the_loss(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, folder = trained
    rows = [*events(["i1", "i3", "i5"]), *[row._replace(append_ms=99) for row in events(["i7"], "beauty")]]
    (first, one, _), (second, other, _) = (learned(folder, model, space, rows) for _ in range(2))
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(one.user.parameters(), other.user.parameters(), strict=True))
    assert np.mean(first[-5:]) < np.mean(first[:5])


def test_what_was_left_alone_scores_lower_afterwards(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, folder = trained
    shown = Event("s", "u", "toys", Action.IMPRESSION, 5000, 5000, item_id="i3", request_id="r")
    other = Event("o", "v", "toys", Action.IMPRESSION, 5000, 5000, item_id="i3", request_id="r")
    rows = [*events(["i1", "i3", "i5"]), LogRow(shown, 10), LogRow(other, 70_000)]

    def score(user: UserSide, items: ItemVectors) -> float:
        history = [Behaviour(1000 * n, f"e{n}", f"i{n}", "toys", "click") for n in (1, 3, 5)]
        interests = user_interests(
            user, [tower_input(history, items, VOCABULARY, MIXER)], [VOCABULARY.query_scenarios("toys")]
        )[0]
        return float((interests.reshape(-1, 8) @ items.vectors[items.rows["i3"]]).max())

    _, online, examples = learned(folder, model, space, rows, impressions=1.0)
    assert [(e.item_ids, e.positive) for e in examples] == [(["i3"], False)]
    assert [b.item_id for b in examples[0].history] == ["i1", "i3", "i5"]
    assert score(online.user, online.items) < score(model.user.eval(), online.items)


def test_evaluation_ranks_among_all_items(trained: tuple[RedRec, ItemSpace, Path]) -> None:
    model, space, _ = trained
    items = ItemVectors(space)
    examples, _ = LearnerState(10).advance(events(["i1", "i3"]))
    positives = prepare(examples, items, model.user).positives
    found = evaluate_window(model.user, positives, items)
    assert found["toys"]["count"] == 2
    assert 1 / 20 <= found["toys"]["mrr"] <= 1
    assert found["toys"]["hr@50"] == 1
    interests = user_interests(model.user, [p.input for p in positives], [p.queries for p in positives])
    scores = (interests[1].reshape(-1, 8) @ items.vectors.T).max(0)
    assert positive_ranks(model.user, positives, items)[1] == (scores >= scores[items.rows["i3"]]).sum()


def test_the_learning_rate_never_falls_below_its_floor() -> None:
    settings = OnlineSettings(lr=1e-3, lr_floor=1e-4, lr_half=100)
    assert learning_rate(settings, 0) == 1e-3
    assert learning_rate(settings, 100) == 5e-4
    assert learning_rate(settings, 10**9) == 1e-4
