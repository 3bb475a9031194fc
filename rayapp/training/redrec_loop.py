"""The function that every training worker runs: user sequences in, checkpoints and progress out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch

from rayapp.cluster import arrow_tables
from rayapp.content.item_encoder import DECODER
from rayapp.cores import usable_cores
from rayapp.data.sequences import EventSequence, sequences_of
from rayapp.data.split import SPLITS, Split
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.evaluation.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.redrec import RedRec
from rayapp.redrec.model.trainable_encoder import TrainableEncoder
from rayapp.redrec.training.batching import Batcher
from rayapp.redrec.training.trainer import TrainConfig, Trainer, scenario_counts, start_ids, target_counts
from rayapp.training.progress import OnProgress
from rayapp.training.redrec_run import Run
from rayapp.workers import Crew

VALIDATION_USERS = 3000


@dataclass(frozen=True, slots=True)
class TrainTask:
    """What the workers train, and what they may not see.

    `content` [I, E]: item vectors of the encoder. `texts`: the items' texts where the encoder learns, else empty.
    `holdout` and `split`: see `split_for_training`. `on_progress` is called by rank 0.
    """

    settings: TrainConfig
    vocabulary: Vocabulary
    content: np.ndarray
    texts: list[str]
    holdout: int
    split: str
    on_progress: OnProgress


def build_model(
    settings: TrainConfig, vocabulary: Vocabulary, content: np.ndarray, texts: list[str] | None = None
) -> RedRec:
    """A fresh model over this catalogue; the content table gets a zero row for padding.

    `texts` of the items: read anew in every step where the encoder learns.
    """
    torch.manual_seed(settings.seed)
    table = torch.cat([torch.from_numpy(content), torch.zeros(1, content.shape[1])])
    return RedRec(settings.model, vocabulary, table, reader_of(settings, texts or []))


def reader_of(settings: TrainConfig, texts: list[str]) -> TrainableEncoder | None:
    config = settings.model
    if config.item_learning == "frozen":
        return None
    folder = settings.encoder.removeprefix(DECODER)
    return TrainableEncoder(
        folder, texts, config.item_learning, rank=config.lora_rank, checkpointing=config.checkpointing
    )


def split_for_training(
    sequences: list[EventSequence], holdout: int, split: str = "last"
) -> tuple[list[EventSequence], Split]:
    """What training sees and the validation split: with holdout 2 the last event (test) is not even read."""
    held_out = SPLITS[split]
    if holdout == 2:
        sequences, _ = held_out(sequences, 1)
    return held_out(sequences, 1)


def train_loop(config: dict[str, Any]) -> None:
    """Epochs over this worker's users until time, epochs or patience run out; the best state is in the checkpoint.

    `config`: the fields of a LoopTask (Ray Train takes a dict).
    """
    task = TrainTask(**config)
    settings, scenarios, items = task.settings, len(task.vocabulary.scenarios), len(task.content)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    crew = Crew(rank, world, device)
    torch.set_num_threads(max(1, usable_cores() // world))
    shard = ray.train.get_dataset_shard("train")
    assert shard is not None  # rayapp/training/redrec.py gives the trainer this dataset
    tables = arrow_tables(shard.iter_batches(batch_size=4096, batch_format="pyarrow"))
    sequences = [sequence for table in tables for sequence in sequences_of(table)]
    train, validation = split_for_training(sequences, task.holdout, task.split)
    train = [s for s in train if len(s.items) > 1]  # a user with one event has nothing to predict
    model = build_model(settings, task.vocabulary, task.content, task.texts).to(device)
    counts = crew.summed(target_counts(train, items))
    all_counts = crew.summed(scenario_counts(train, items, scenarios))
    pools = {s: np.flatnonzero(row) for s, row in enumerate(all_counts) if row.any()}
    sampler = NegativeSampler(
        pools,
        counts,
        uniform=settings.negatives,
        in_batch=settings.in_batch,
        seed=settings.seed + rank,
        hard=settings.hard,
        gather=crew.gathered,
    )
    batcher = Batcher(settings.batching, items, scenarios, counts)
    # DDP broadcasts rank 0's weights, so its id embeddings must start from the users of all workers.
    start_ids(model.item_tower, crew.collected([s.items for s in train]), settings.warm_ids)
    wrapped = model
    if world > 1:
        wrapped = ray.train.torch.prepare_model(model, parallel_strategy_kwargs={"find_unused_parameters": True})
    trainer = Trainer(settings, model, sampler=sampler, batcher=batcher, wrapped=wrapped)
    # With a split by scenario a target is ranked among its scenario's items, as in `jobs.evaluate_cross`.
    candidates = None
    if task.split == "scenario":
        ranked = crew.summed(scenario_counts(sequences, items, scenarios)) > 0
        candidates = dict(enumerate(ranked))
    users = np.random.default_rng(settings.seed).permutation(len(validation.targets))[:VALIDATION_USERS]
    run = Run(settings, trainer, crew, task.on_progress)
    run.resume()
    while not run.over:
        run.epoch(train)
        scorer = model_scorer(model.user, all_item_vectors(model), validation)
        metrics = evaluate(validation, scorer, users=users, candidates=candidates)
        run.finish_epoch(metrics)
    run.report(final=True)
