"""Training of RED-Rec as one call: a data folder in, a version of the registry out."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
import ray.train
import ray.train.torch

from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.content.cached import encoded
from rayapp.data.folder import DataFolder
from rayapp.process_group import GroupConfig
from rayapp.redrec.model.trend import periods
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.stores.registry import Manifest, Registry
from rayapp.training.mailbox import Mailbox
from rayapp.training.progress import OnProgress, Progress, silent
from rayapp.training.redrec_data import training_data
from rayapp.training.redrec_loop import TrainTask, train_loop
from rayapp.training.redrec_publish import TrainedRun, publish_trained
from rayapp.training.redrec_run import STEPS
from rayapp.training.redrec_settings import TrainingError, with_model_folders


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`holdout` last events of a user (or, with `split` "scenario", of each of a user's scenarios) are not trained on:
    1 for validation, 2 for validation and test. `scenarios`: train on the events of these only (empty: all).
    `workers` train data parallel, with a GPU each where `gpu`. `offsets`: {topic: {partition: next offset}} that the
    folder covers."""

    holdout: int = 2
    split: str = "last"
    scenarios: tuple[str, ...] = ()
    workers: int = 1
    gpu: bool = False
    offsets: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def held_out(self) -> dict[str, object]:
        return {"holdout": self.holdout, "split": self.split, "scenarios": self.scenarios}


@dataclass(frozen=True, slots=True)
class Trained:
    """The version that a training published, with its metrics."""

    name: str
    manifest: Manifest

    @property
    def metrics(self) -> dict[str, Any]:
        return self.manifest.metrics


def train(
    settings: TrainConfig,
    folder: DataFolder,
    *,
    config: Config,
    registry: Registry,
    options: RunOptions | None = None,
    progress: OnProgress = silent,
) -> Trained:
    """Train on the folder and publish the best epoch. The same call again resumes a run that was interrupted.

    `config` gives the state folder (caches, checkpoints) and the online learner's settings. `progress` is called in
    this process, from one thread at a time. Joins the Ray cluster, or starts one. Raises UserError.
    """
    options = options or RunOptions()
    settings = with_model_folders(settings, config.llm_cache)
    digest = folder.digest()
    connect_ray()

    def say(step: int, message: str) -> None:
        progress(Progress(step, STEPS, message))

    say(1, f"reading {folder.path}")
    data = training_data(folder, scenarios=options.scenarios)
    for notice in folder.notices:
        say(1, notice)
    try:
        periods(settings.model.trend_days, data.vocabulary.time)
    except ValueError as error:
        raise TrainingError(str(error)) from None
    scenarios = ", ".join(data.vocabulary.scenarios)
    say(1, f"{data.sequences.count():,} users, {len(data.items):,} items, scenarios {scenarios}")
    say(2, f"encoding items with {settings.encoder}")
    content = encoded(settings.encoder, data.items, cache=config.encoder_cache, say=lambda line: say(2, line.strip()))
    run = _run_name(settings, digest, registry.name, options)
    storage = (config.state_path / "train").resolve()
    say(3, f"training, at most {settings.minutes:g} minutes (run {run}; an interrupted run resumes)")
    with Mailbox(progress) as sender:
        learned = settings.model.item_learning != "frozen"
        task = TrainTask(
            settings=settings,
            vocabulary=data.vocabulary,
            content=content,
            texts=[item.text for item in data.items] if learned else [],
            holdout=options.holdout,
            split=options.split,
            on_progress=sender,
        )
        result = ray.train.torch.TorchTrainer(
            train_loop,
            train_loop_config={f.name: getattr(task, f.name) for f in fields(task)},
            datasets={"train": data.sequences},
            torch_config=GroupConfig(),
            scaling_config=ray.train.ScalingConfig(
                num_workers=options.workers,
                use_gpu=options.gpu,
                resources_per_worker=None if options.gpu else {"CPU": 2},
            ),
            run_config=ray.train.RunConfig(
                name=run,
                storage_path=str(storage),
                failure_config=ray.train.FailureConfig(max_failures=3),
                checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            ),
        ).fit()
    if result.checkpoint is None:
        raise TrainingError("training ended without a checkpoint; see the log above")
    say(4, "publishing")
    trained = TrainedRun(
        settings=settings,
        folder=folder,
        items=data.items,
        vocabulary=data.vocabulary,
        content=content,
        checkpoint=result.checkpoint,
        held_out=options.held_out,
        offsets=options.offsets,
    )
    encoders = config.state_path.resolve() / "encoders"
    manifest = publish_trained(
        trained, registry, encoders=encoders, learner=config.learner, say=lambda line: say(4, line)
    )
    shutil.rmtree(storage / run, ignore_errors=True)
    return Trained(registry.name, manifest)


def _run_name(settings: TrainConfig, digest: str, name: str, options: RunOptions) -> str:
    """The same for the same work, so that an interrupted run finds its checkpoint."""
    same = [msgspec.to_builtins(settings), digest, options.holdout, options.split, options.scenarios, name]
    key = json.dumps([*same, options.workers])
    return f"train-{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
