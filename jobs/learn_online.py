"""The online learner: windows of the behaviour topic train the user side and become published versions.

One long-lived TorchTrainer holds the window loop (`fit()` costs about 20 s, a
window inside it a fraction of one). The checkpoint is the version: weights,
optimiser, histories and offsets in one folder, so a restart continues from HEAD.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
import ray.train
import ray.train.torch
import torch

from rayapp.cli.job import JobError, job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.experiments.experiment import Experiment, ExperimentError, load_experiment
from rayapp.learner.learner import Learner
from rayapp.process_group import GroupConfig
from rayapp.stores.open import open_store
from rayapp.stores.registry import Registry
from rayapp.terminal import console
from rayapp.workers import Crew
from streaming.topics import wait_for_broker


def learn_loop(settings: dict[str, Any]) -> None:
    """What every training worker runs, until it is stopped or `windows` are done."""
    context = ray.train.get_context()
    crew = Crew(context.get_world_rank(), context.get_world_size())
    torch.set_num_threads(1)  # the sum of a gradient must not depend on how many cores there are
    config = msgspec.convert(settings["config"], Config)
    takes = None
    if settings["experiment"] is not None:
        takes = own_arm(msgspec.convert(settings["experiment"], Experiment), settings["name"], config.name)
    learner = Learner(config, settings["name"], crew=crew, takes=takes, say=partial(print, flush=True))
    learner.run(settings["windows"])


def own_arm(experiment: Experiment, name: str, default: str) -> Callable[[str], bool]:
    """A predicate: is a user in an arm that model `name` serves? Raises ExperimentError when no arm is."""
    arms = experiment.arms_of(name, default)
    if not arms:
        served = {arm.name: arm.params.model or default for arm in experiment.arms}
        raise ExperimentError(f"experiment {experiment.name}: no arm is served by {name} (arms and models: {served})")
    return lambda user_id: (arm := experiment.arm(user_id)) is not None and arm.name in arms


@job("Learn from the behaviour stream and publish versions, starting at HEAD's offsets. Runs until stopped.")
@click.option("--name", default="redrec", help="Model name in the registry.")
@click.option(
    "--workers", type=click.IntRange(1), help="Training workers; default: learner.workers of the configuration."
)
@click.option(
    "--learn-from",
    type=click.Choice(["all", "own-arm"]),
    default="all",
    help="Users to learn from: all, or (own-arm) those that --experiment assigns to this model.",
)
@click.option("--experiment", type=click.Path(), help="YAML of the experiment for own-arm.")
@click.option("--windows", type=click.IntRange(0), default=0, help="Stop after this many windows (0: never).")
def main(
    config: Config, *, name: str, workers: int | None, learn_from: str, experiment: str | None, windows: int
) -> dict[str, Any]:
    if (learn_from == "own-arm") != (experiment is not None):
        raise JobError("--learn-from own-arm needs --experiment FILE, and --experiment is only used with it")
    own_experiment = load_experiment(experiment) if experiment else None
    if own_experiment is not None:
        own_arm(own_experiment, name, config.name)  # fail fast
    state = Path(config.state).resolve()
    config = msgspec.structs.replace(config, state=str(state))
    wait_for_broker(config.broker)
    open_store(config.store_url, wait_s=30)
    registry = Registry(config.models, name)
    start = registry.resolve("HEAD")
    console.print(
        f"learning from {name}@{start} on"
        + (f", from users of its arm of {own_experiment.name}" if own_experiment else "")
    )
    connect_ray()
    trainer = ray.train.torch.TorchTrainer(
        learn_loop,
        train_loop_config={
            "config": msgspec.to_builtins(config),
            "name": name,
            "windows": windows,
            "experiment": msgspec.to_builtins(own_experiment),
        },
        torch_config=GroupConfig(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers or config.learner.workers, resources_per_worker={"CPU": 1}
        ),
        # The registry is the only checkpoint; this folder holds Ray Train's bookkeeping of one run.
        run_config=ray.train.RunConfig(
            name=f"learn-{name}-{os.getpid()}", storage_path=str(state / "train" / "online")
        ),
    )
    trainer.fit()
    head = registry.resolve("HEAD")
    manifest = registry.manifest(head)
    console.print(f"{name}@{head}: {manifest.events_seen:,} events seen")
    return {"model": name, "version": head, "events_seen": manifest.events_seen}


if __name__ == "__main__":
    main()
