"""Two workers over gloo: the same weights on both, again on a second run, and what one worker would have."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from rayapp.config import OnlineSettings
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Action, Event, Item
from rayapp.redrec.model.artifact import ItemSpace, load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import LearnerState, LogRow
from rayapp.redrec.online.online_model import Memory, OnlineModel
from rayapp.redrec.online.reservoir import Reservoir

# Odd items are known by id alone: their embeddings learn too and must agree.
ITEMS = [Item(item_id=f"i{n}", title=f"i{n}" if n % 2 else f"a title {n}") for n in range(20)]


def write_model(folder: Path) -> dict:
    torch.manual_seed(0)
    content = torch.cat([torch.randn(20, 12).half().float(), torch.zeros(1, 12)])
    config = ModelConfig(dim=8, width=16, heads=2, length=10, dropout=0.0)
    model = RedRec(config, Vocabulary(("homefeed",), ("click",)), content).eval()
    save_space(folder / "space", model, ITEMS, "enc")
    save_user_side(folder, model.user)
    return model_description(model, "enc")


def log() -> list[LogRow]:
    """Clicks of 30 users, and impressions that are left alone."""
    rows = []
    for n in range(90):
        action = Action.IMPRESSION if n % 3 == 2 else Action.CLICK
        event = Event(f"e{n}", f"u{n % 30}", "homefeed", action, n, n, item_id=f"i{(7 * n) % 20}", request_id=f"r{n}")
        rows.append(LogRow(event, 1000 * n))
    return rows


def train(folder: Path, description: dict, rank: int, world: int) -> tuple[dict[str, torch.Tensor], list[float]]:
    settings = OnlineSettings(lr=3e-3, lr_floor=1e-3, batch=16, negatives=8, in_batch=8, seed=3)
    memory = Memory(LearnerState(10, late_ms=2000), Reservoir(20, 10, 3), Frequency())
    items = ItemVectors(space_of(folder, description))
    model = OnlineModel(load_user_side(folder, description), items, settings, memory, rank=rank, world=world)
    rows, losses = log(), []
    for number in range(3):
        examples, _ = model.advance(rows[30 * number : 30 * number + 30], drained=(0,))
        losses.append(model.learn(model.prepare(examples), number))
    return {**model.user.state_dict(), "vectors": torch.from_numpy(model.items.vectors.copy())}, losses


def worker(rank: int, world: int, folder: Path, description: dict) -> None:
    torch.set_num_threads(1)
    wait = timedelta(seconds=120)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world, timeout=wait)
    torch.save([train(folder, description, rank, world) for _ in range(2)], folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_workers_agree_repeat_themselves_and_do_what_one_would(tmp_path: Path) -> None:
    description = write_model(tmp_path)
    mp.spawn(worker, args=(2, tmp_path, description), nprocs=2)
    (first, losses), (again, _) = torch.load(tmp_path / "0.pt")
    second, _ = torch.load(tmp_path / "1.pt")[0]
    begun = load_user_side(tmp_path, description).state_dict()
    assert any(not torch.equal(first[name], begun[name]) for name in begun)
    assert not torch.equal(first["vectors"], torch.from_numpy(ItemVectors(space_of(tmp_path, description)).vectors))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        assert torch.equal(value, again[name]), name
    # One worker sums in another order, and Adam makes much of little: the same course, not the same bits.
    _, alone = train(tmp_path, description, 0, 1)
    assert np.allclose(losses, alone, rtol=0.02)


def space_of(folder: Path, description: dict) -> ItemSpace:
    return ItemSpace(folder / "space", description)
