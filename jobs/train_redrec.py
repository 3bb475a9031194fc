"""Train RED-Rec from a data folder: Ray Data makes user sequences, Ray Train trains, the registry gets a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs import RECIPES
from rayapp.cli.job import job, option_object
from rayapp.config import Config
from rayapp.data.folder import DataFolder
from rayapp.data.split import SPLITS
from rayapp.parsing import convert
from rayapp.stores.registry import Registry
from rayapp.terminal import console, print_table
from rayapp.training.progress import Progress, ProgressFile, lines
from rayapp.training.redrec import RunOptions, train
from rayapp.training.redrec_settings import load_train_config

RECIPE = "next_item"


@job("Train RED-Rec on a data folder and publish it as a version of the registry. An interrupted run resumes.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with interactions.parquet.")
@click.option(
    "--train-config",
    type=click.Path(),
    help="YAML of training settings (rayapp/redrec/training/trainer.py), or the name of one in jobs/configs; "
    f"default: training.config of the configuration, or {RECIPE}.",
)
@click.option("--minutes", type=float, help="Time budget of training.")
@click.option("--epochs", type=int, help="Maximum number of passes over the data.")
@click.option("--seed", type=int, help="Seed of weights, batches and negatives.")
@click.option(
    "--holdout",
    type=click.IntRange(1, 2),
    default=2,
    help="Last events held out from training: 2 for validation and test, 1 for validation only (as `rayapp up` does).",
)
@click.option(
    "--split",
    type=click.Choice(list(SPLITS)),
    default="last",
    help="Hold out the last events of a user, or of each of a user's scenarios (for jobs.evaluate_cross).",
)
@click.option("--scenario", "scenarios", multiple=True, help="Train only on events of this scenario (repeatable).")
@click.option("--workers", type=click.IntRange(1), default=1, help="Data-parallel training workers.")
@click.option("--gpu", is_flag=True, help="Use a GPU per worker.")
@click.option("--models", type=str, help="Registry root; default: <state>/models.")
@click.option("--name", type=str, help="Model name; default: redrec-<folder name>.")
@click.option("--offsets", type=str, default="{}", help="JSON {topic: {partition: next offset}} that the data covers.")
@click.option("--progress", type=click.Path(path_type=Path), help="Append progress events to this file, as JSON lines.")
def main(
    config: Config,
    *,
    data: str,
    train_config: str | None,
    minutes: float | None,
    epochs: int | None,
    seed: int | None,
    holdout: int,
    split: str,
    scenarios: tuple[str, ...],
    workers: int,
    gpu: bool,
    models: str | None,
    name: str | None,
    offsets: str,
    progress: Path | None,
) -> dict[str, Any]:
    show = lines(console.print)
    with ProgressFile(progress) as record:

        def on_progress(event: Progress) -> None:
            show(event)
            record(event)

        settings = load_train_config(
            train_config or config.training.config or RECIPE,
            {"minutes": minutes, "epochs": epochs, "seed": seed},
            packaged=RECIPES,
        )
        folder = DataFolder(data)
        registry = Registry(
            models or str(config.state_path.resolve() / "models"), name or f"redrec-{folder.path.resolve().name}"
        )
        given = convert(option_object("--offsets", offsets), dict[str, dict[str, int]], what="--offsets")
        options = RunOptions(holdout, split, scenarios, workers, gpu, given)
        trained = train(settings, folder, config=config, registry=registry, options=options, progress=on_progress)
    validation = trained.metrics["validation"]
    scores = [
        validation.get(history, {}).get(metric) for history in ("kept", "masked") for metric in ("hr@10", "ndcg@10")
    ]
    if None in scores:
        console.print(
            "no user has two events: nothing was learned of anybody yet, and nothing can be validated; lists are of "
            "popular and fresh notes, and similar ones by text, until the stream brings more"
        )
    print_table(
        "validation (last event but holdout)",
        ["model", "HR@10 kept", "NDCG@10", "HR@10 masked", "NDCG@10"],
        [[f"{trained.name}@{trained.manifest.version}", *("" if one is None else one for one in scores)]],
    )
    return {"model": trained.name, "version": trained.manifest.version, "metrics": trained.metrics}


if __name__ == "__main__":
    main()
