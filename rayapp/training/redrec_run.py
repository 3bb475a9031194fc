"""One training run: its clock, its best state, its checkpoints."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import ray.train
import torch

from rayapp.data.sequences import EventSequence
from rayapp.redrec.model.pretrained import learned_state, load_learned
from rayapp.redrec.training.trainer import TrainConfig, Trainer
from rayapp.training.progress import OnProgress, Progress
from rayapp.workers import Crew

REPORT_EVERY_S = 10.0
PROGRESS_EVERY_S = 15.0
STEPS = 4  # reading, encoding, training, publishing
TRAINING_STEP = 3


class RunState(msgspec.Struct):
    """What a checkpoint says of its run. `best`: the highest validation NDCG@10 (history masked), `since_best` epochs
    ago, with all its `metrics`; `loss` of the last epoch; `resumed_after`: epochs after which the run was resumed."""

    epoch: int = 0
    seconds: float = 0.0
    best: float = -1.0
    since_best: int = 0
    metrics: dict[str, dict[str, float]] = {}
    loss: float = 0.0
    resumed_after: list[int] = []


class Run:
    """Progress of one run: clock, epochs, best state, checkpoints."""

    def __init__(self, settings: TrainConfig, trainer: Trainer, crew: Crew, on_progress: OnProgress) -> None:
        self.settings = settings
        self.trainer = trainer
        self.crew = crew
        self.on_progress = on_progress
        self.state = RunState()
        self.best: dict[str, torch.Tensor] = {}
        self.started = time.monotonic()
        self.reported = 0.0
        self.over = False

    def seconds(self) -> float:
        return self.state.seconds + time.monotonic() - self.started

    def resume(self) -> None:
        """Take up the newest checkpoint of this run, if there is one."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt", map_location=self.trainer.device, weights_only=False)
        load_learned(self.trainer.model, state["model"])
        self.trainer.optimiser.load_state_dict(state["optimiser"])
        self.best, self.state = state["best"], RunState(**state["done"])
        self.state.resumed_after.append(self.state.epoch)
        self.started = time.monotonic()
        self.over = self.crew.agree(self._ended())
        self._say(f"resumed after epoch {self.state.epoch}, {self.state.seconds:.0f} s")

    def epoch(self, train: list[EventSequence]) -> None:
        rng = np.random.default_rng([self.settings.seed, self.crew.rank, self.state.epoch])
        last = time.monotonic()

        def on_step(loss: float) -> bool:
            nonlocal last
            over = self._progress()
            if time.monotonic() - last > PROGRESS_EVERY_S:
                last = time.monotonic()
                self._say(f"{self.trainer.progress:.0%} of the budget used, loss {loss:.3f}")
            return not over

        self._progress()
        steps = self.crew.agree(math.ceil(len(train) / self.trainer.batch_size(len(train))))
        self.state.loss = self.trainer.epoch(train, rng, on_step, steps if self.crew.world > 1 else None)

    def finish_epoch(self, metrics: dict[str, dict[str, float]]) -> None:
        """`metrics` of this worker's users; those of rank 0 are a fair sample and decide."""
        self.state.epoch += 1
        metrics = self.crew.agree(metrics)
        score = metrics["masked"].get("ndcg@10", 0.0)
        if score > self.state.best:
            self.best = {k: v.detach().clone() for k, v in learned_state(self.trainer.model).items()}
            self.state.best, self.state.since_best, self.state.metrics = score, 0, metrics
        else:
            self.state.since_best += 1
        self.over = self.crew.agree(self._ended())
        self._say(
            f"epoch {self.state.epoch}: {self.seconds():.0f} s, loss {self.state.loss:.3f}, validation "
            f"HR@10 {metrics['masked'].get('hr@10', 0):.4f} NDCG@10 {score:.4f} (history masked)",
            epoch=self.state.epoch,
            metric=score,
        )
        if not self.over and self.crew.agree(time.monotonic() - self.reported > REPORT_EVERY_S):
            self.report()

    def report(self, final: bool = False) -> None:
        """Checkpoint; the collective report needs every worker to call it."""
        self.state.seconds, self.started = self.seconds(), time.monotonic()
        self.reported = time.monotonic()
        metrics = {"epoch": self.state.epoch, "loss": self.state.loss, "best_ndcg": self.state.best}
        if not self.crew.leads:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as folder:
            state = {
                "model": learned_state(self.trainer.model),
                "optimiser": self.trainer.optimiser.state_dict(),
                "best": self.best,
                "done": msgspec.structs.asdict(self.state),
                "final": final,
            }
            torch.save(state, Path(folder) / "state.pt")
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))

    def _say(self, message: str, *, epoch: int | None = None, metric: float | None = None) -> None:
        """Progress of the training step; once for all workers."""
        if self.crew.leads:
            self.on_progress(Progress(TRAINING_STEP, STEPS, message, epoch, metric))

    def _progress(self) -> bool:
        """The share of the budget that is used, by the clock of rank 0; whether time is up."""
        by_time = self.crew.agree(self.seconds()) / (self.settings.minutes * 60)
        by_epoch = self.state.epoch / self.settings.epochs
        self.trainer.progress = min(1.0, max(by_time, by_epoch))
        return by_time >= 1

    def _ended(self) -> bool:
        return (
            self.state.epoch >= self.settings.epochs
            or self.seconds() >= self.settings.minutes * 60
            or self.state.since_best >= self.settings.patience
        )
