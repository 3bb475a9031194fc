"""The function every training worker runs: Ray Data in, checkpoints and progress out."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import ray.train
import ray.train.torch
import torch

from rayapp.content.item_encoder import DECODER
from rayapp.cores import usable_cores
from rayapp.data.sequences import Sequence, sequences_of
from rayapp.data.split import SPLITS, Split
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.evaluation.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.item_reader import ItemReader
from rayapp.redrec.model.pretrained import learned_state, load_learned
from rayapp.redrec.model.redrec import RedRec
from rayapp.redrec.training.batching import Batcher
from rayapp.redrec.training.trainer import TrainConfig, Trainer, scenario_counts, start_ids, target_counts
from rayapp.workers import Crew

VALIDATION_USERS = 3000
REPORT_EVERY_S = 10.0


def build_model(
    settings: TrainConfig, vocabulary: Vocabulary, content: np.ndarray, texts: list[str] | None = None
) -> RedRec:
    """A fresh model over this catalogue; the content table gets a zero row for padding.

    `texts` of the items: read anew in every step where the encoder learns.
    """
    torch.manual_seed(settings.seed)
    table = torch.cat([torch.from_numpy(content), torch.zeros(1, content.shape[1])])
    return RedRec(settings.model, vocabulary, table, reader_of(settings, texts or []))


def reader_of(settings: TrainConfig, texts: list[str]) -> ItemReader | None:
    config = settings.model
    if config.item_learning == "frozen":
        return None
    folder = settings.encoder.removeprefix(DECODER)
    return ItemReader(folder, texts, config.item_learning, config.lora_rank, config.checkpointing)


def split_for_training(sequences: list[Sequence], holdout: int, split: str = "last") -> tuple[list[Sequence], Split]:
    """What training sees and the validation split: with holdout 2 the last event (test) is not even read."""
    held_out = SPLITS[split]
    if holdout == 2:
        sequences, _ = held_out(sequences, 1)
    return held_out(sequences, 1)


def train_loop(config: dict[str, Any]) -> None:
    """Epochs over this worker's users until time, epochs or patience run out; the best state is in the checkpoint."""
    settings = msgspec.convert(config["settings"], TrainConfig)
    vocabulary = msgspec.convert(config["vocabulary"], Vocabulary)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    crew = Crew(rank, world, device)
    torch.set_num_threads(max(1, usable_cores() // world))
    shard = ray.train.get_dataset_shard("train")
    own = [s for block in shard.iter_batches(batch_size=4096, batch_format="pyarrow") for s in sequences_of(block)]
    train, validation = split_for_training(own, config["holdout"], config["split"])
    train = [s for s in train if len(s.items) > 1]  # a user with one event has nothing to predict
    items = len(config["content"])
    model = build_model(settings, vocabulary, config["content"], config["texts"]).to(device)
    counts = crew.summed(target_counts(train, items))
    everything = crew.summed(scenario_counts(train, items, len(vocabulary.scenarios)))
    pools = {s: np.flatnonzero(row) for s, row in enumerate(everything) if row.any()}
    sampler = NegativeSampler(
        pools,
        counts,
        settings.negatives,
        settings.in_batch,
        settings.seed + rank,
        settings.hard,
        crew.gathered,
    )
    batcher = Batcher(settings.batching, items, len(vocabulary.scenarios), counts)
    # DDP hands rank 0's weights to the others, so the start there must be of everybody's users.
    start_ids(model.item_tower, crew.collected([s.items for s in train]), settings.warm_ids)
    wrapped = model
    if world > 1:
        wrapped = ray.train.torch.prepare_model(model, parallel_strategy_kwargs={"find_unused_parameters": True})
    trainer = Trainer(settings, model, sampler, batcher, wrapped)
    # Held out within each scenario, a target is ranked among its scenario's items, as `jobs.evaluate_cross` does.
    candidates = None
    if config["split"] == "scenario":
        ranked = crew.summed(scenario_counts(own, items, len(vocabulary.scenarios))) > 0
        candidates = dict(enumerate(ranked))
    users = np.random.default_rng(settings.seed).permutation(len(validation.targets))[:VALIDATION_USERS]
    run = Run(settings, trainer, crew)
    run.resume()
    while not run.over:
        run.epoch(train)
        scorer = model_scorer(model.user, all_item_vectors(model), validation)
        metrics = evaluate(validation, scorer, users=users, candidates=candidates)
        run.finish_epoch(metrics)
    run.report(final=True)


class Run:
    """Progress of one run: clock, epochs, best state, checkpoints."""

    def __init__(self, settings: TrainConfig, trainer: Trainer, crew: Crew) -> None:
        self.settings = settings
        self.trainer = trainer
        self.crew = crew
        self.done = {"epoch": 0, "seconds": 0.0, "best": -1.0, "since_best": 0, "metrics": {}, "loss": 0.0}
        self.done["resumed_after"] = []
        self.best: dict[str, torch.Tensor] = {}
        self.started = time.monotonic()
        self.reported = 0.0
        self.over = False

    def seconds(self) -> float:
        return self.done["seconds"] + time.monotonic() - self.started

    def resume(self) -> None:
        """Take up the newest checkpoint of this run, if there is one."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt", map_location=self.trainer.device, weights_only=False)
        load_learned(self.trainer.model, state["model"])
        self.trainer.optimiser.load_state_dict(state["optimiser"])
        self.best, self.done = state["best"], state["done"]
        self.done["resumed_after"].append(self.done["epoch"])
        self.started = time.monotonic()
        self.over = self.crew.agree(self._ended())
        print(f"resumed after epoch {self.done['epoch']}, {self.done['seconds']:.0f} s", flush=True)

    def epoch(self, train: list[Sequence]) -> None:
        rng = np.random.default_rng([self.settings.seed, self.crew.rank, self.done["epoch"]])
        last = time.monotonic()

        def on_step(loss: float) -> bool:
            nonlocal last
            over = self._progress()
            if self.crew.leads and time.monotonic() - last > 15:
                last = time.monotonic()
                print(f"  {self.trainer.progress:4.0%} of the budget, loss {loss:.3f}", flush=True)
            return not over

        self._progress()
        steps = self.crew.agree(math.ceil(len(train) / self.trainer.batch_size(len(train))))
        self.done["loss"] = self.trainer.epoch(train, rng, on_step, steps if self.crew.world > 1 else None)

    def finish_epoch(self, metrics: dict[str, Any]) -> None:
        """`metrics` of this worker's users; those of rank 0 are a fair sample and decide."""
        self.done["epoch"] += 1
        metrics = self.crew.agree(metrics)
        score = metrics["masked"].get("ndcg@10", 0.0)
        if score > self.done["best"]:
            self.best = {k: v.detach().clone() for k, v in learned_state(self.trainer.model).items()}
            self.done.update(best=score, since_best=0, metrics=metrics)
        else:
            self.done["since_best"] += 1
        self.over = self.crew.agree(self._ended())
        if self.crew.leads:
            print(
                f"epoch {self.done['epoch']}: {self.seconds():.0f} s, loss {self.done['loss']:.3f}, validation "
                f"HR@10 {metrics['masked'].get('hr@10', 0):.4f} NDCG@10 {score:.4f} (history masked)",
                flush=True,
            )
        if not self.over and self.crew.agree(time.monotonic() - self.reported > REPORT_EVERY_S):
            self.report()

    def report(self, final: bool = False) -> None:
        """Checkpoint; the collective report needs every worker to call it."""
        self.done["seconds"], self.started = self.seconds(), time.monotonic()
        self.reported = time.monotonic()
        metrics = {"epoch": self.done["epoch"], "loss": self.done["loss"], "best_ndcg": self.done["best"]}
        if not self.crew.leads:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as folder:
            state = {
                "model": learned_state(self.trainer.model),
                "optimiser": self.trainer.optimiser.state_dict(),
                "best": self.best,
                "done": self.done,
                "final": final,
            }
            torch.save(state, Path(folder) / "state.pt")
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))

    def _progress(self) -> bool:
        """The share of the budget that is used, by the clock of rank 0; whether time is up."""
        by_time = self.crew.agree(self.seconds()) / (self.settings.minutes * 60)
        by_epoch = self.done["epoch"] / self.settings.epochs
        self.trainer.progress = min(1.0, max(by_time, by_epoch))
        return by_time >= 1

    def _ended(self) -> bool:
        return (
            self.done["epoch"] >= self.settings.epochs
            or self.seconds() >= self.settings.minutes * 60
            or self.done["since_best"] >= self.settings.patience
        )
