"""Rows a second of the online learner against a bare PyTorch loop over the same tensors, same model and batch.

    .venv/bin/python -m tests.benchmarks.learner_speed

Both take the same gradient steps on the same examples of the sample world. The
bare loop finds its tensors ready and only goes forward, back and steps; the
learner makes them from its memory (histories, mixing, padding, sampling,
reservoir). The two are interleaved, so that both see the same machine. Beside
it: the same with the memory's advance and the prequential evaluation.
"""

from __future__ import annotations

import copy
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
import torch.nn.functional as F

from rayapp.config import OnlineSettings
from rayapp.data.folder import DataFolder, bootstrap_events, vocabulary_of
from rayapp.data.sample_world import write_sample_world
from rayapp.domain import Event
from rayapp.redrec.loss.loss import info_nce
from rayapp.redrec.loss.negatives import NegativePool
from rayapp.redrec.model.artifact import ItemSpace, model_description, save_space
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.history import tower_batch
from rayapp.redrec.model.redrec import ModelConfig, RedRec, UserSide
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import LearnerState, LogRow
from rayapp.redrec.online.online_model import Memory, OnlineModel
from rayapp.redrec.online.prequential import evaluate_window
from rayapp.redrec.online.reservoir import Reservoir
from rayapp.redrec.online.trainer import nearest


class Tensors(NamedTuple):
    """One step's input, ready."""

    batch: Batch
    vectors: torch.Tensor
    real: torch.Tensor
    rows: torch.Tensor
    pool: NegativePool


def ready(model: OnlineModel, window: list) -> Tensors:
    """What the learner would make of these positives."""
    batch, vectors = tower_batch([p.input for p in window], [p.queries for p in window], model.user.config.dim)
    asked = torch.tensor([len(p.queries) for p in window])
    real = torch.arange(batch.cut_BC.shape[1])[None] < asked[:, None]
    real = real.repeat_interleave(model.user.config.interests, dim=1)
    pool = model.trainer._pool(window, model.items, model.frequency, (0, 0))
    return Tensors(batch, vectors, real, torch.tensor([p.rows[0] for p in window]), pool)


def bare_step(user: UserSide, optimiser: torch.optim.Optimizer, table: torch.Tensor, t: Tensors) -> None:
    optimiser.zero_grad(set_to_none=False)
    targets = table[t.rows]
    chosen = nearest(user(t.batch, t.vectors).flatten(1, 2), t.real, targets)
    pool = F.normalize(table[t.pool.rows_P], dim=-1)
    info_nce(
        chosen,
        targets,
        target_ids_M=t.rows,
        negatives_PD=pool,
        negative_ids_P=t.pool.rows_P,
        log_expected=t.pool.log_expected_P,
        scale=user.scale,
    ).mean().backward()
    torch.nn.utils.clip_grad_norm_(user.parameters(), 1.0)
    optimiser.step()


def online_model(folder: DataFolder, where: Path) -> OnlineModel:
    items = folder.items()
    torch.manual_seed(0)
    content = torch.cat([F.normalize(torch.randn(len(items), 384), dim=-1), torch.zeros(1, 384)])
    model = RedRec(ModelConfig(), vocabulary_of(folder.interactions()), content).eval()
    save_space(where, model, items, "enc")
    vectors = ItemVectors(ItemSpace(where, model_description(model, "enc")))
    memory = Memory(LearnerState(50), Reservoir(512, 50), Frequency())
    return OnlineModel(model.user, vectors, OnlineSettings(impressions=0.0, replay=0.0), memory)


@click.command(help=__doc__)
@click.option("--rounds", default=8, help="Interleaved rounds.")
@click.option("--threads", default=1, help="Torch threads; the learner runs with one.")
def main(rounds: int, threads: int) -> None:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = DataFolder(write_sample_world(Path(scratch) / "world"))
        model = online_model(folder, Path(scratch) / "space")
        events: list[Event] = [e for e in bootstrap_events(folder) if e.is_positive]
        size = model.settings.batch
        half = len(events) // 2
        model.advance([LogRow(e, e.timestamp_ms) for e in events[:half]])
        chunks = [events[n : n + size] for n in range(half, len(events) - size, size)][:8]
        examples = []
        seconds = {"advance": 0.0, "evaluate": 0.0, "learner": 0.0, "bare": 0.0}
        for chunk in chunks:
            started = time.perf_counter()
            found, _ = model.advance([LogRow(e, e.timestamp_ms) for e in chunk])
            seconds["advance"] += time.perf_counter() - started
            examples.append([e for e in found if e.positive])
        tensors = [ready(model, model.prepare(e).positives) for e in examples]
        bare = copy.deepcopy(model.user).train()
        optimiser = torch.optim.AdamW(bare.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0)
        table = torch.from_numpy(model.items.vectors)
        for part in ("warm", *range(rounds)):
            for number, (example, tensor) in enumerate(zip(examples, tensors, strict=True)):
                started = time.perf_counter()
                window = model.prepare(example)
                model.learn(window, number)
                middle = time.perf_counter()
                bare_step(bare, optimiser, table, tensor)
                end = time.perf_counter()
                evaluate_window(model.user, window.positives, model.items)
                if part != "warm":
                    seconds["learner"] += middle - started
                    seconds["bare"] += end - middle
                    seconds["evaluate"] += time.perf_counter() - end
    rows = sum(map(len, examples)) * rounds
    whole = seconds["learner"] + seconds["evaluate"] + seconds["advance"] * rounds
    click.echo(
        f"{rows} rows in steps of {size}, {threads} thread(s), {np.mean([len(t.rows) for t in tensors]):.0f} a step"
    )
    for name, taken in (("bare loop", seconds["bare"]), ("learner", seconds["learner"]), ("whole window", whole)):
        click.echo(f"{name:<14}{rows / taken:>8.0f} rows/s{seconds['bare'] / taken:>8.2f} of the bare loop")
    click.echo("aim: learner at least 0.80")


if __name__ == "__main__":
    main()
