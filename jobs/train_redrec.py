"""Train RED-Rec from a data folder: Ray Data makes user sequences, Ray Train trains, the registry gets a version."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import click
import msgspec
import pyarrow.compute as pc
import ray
import ray.data
import ray.train
import ray.train.torch

from rayapp.cli.job import JobError, job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.content.cached import encoded
from rayapp.content.item_encoder import DECODER
from rayapp.data.folder import DataFolder, item_rows, normalise_interactions, of_scenarios, vocabulary_of
from rayapp.data.sequences import user_sequences
from rayapp.data.split import SPLITS
from rayapp.llm.base_model import model_folder
from rayapp.redrec.model.trend import periods
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.terminal import console, print_table
from rayapp.training.redrec_loop import train_loop
from rayapp.training.redrec_publish import publish_trained

RECIPES = Path(__file__).parent / "configs"  # a file there is named without its folder and suffix
RECIPE = "next_item"


def load_train_config(file: str, overrides: dict[str, Any]) -> TrainConfig:
    """The training YAML, or the packaged one of this name, with options on top. Raises JobError with the key at fault."""
    packaged = RECIPES / f"{file}.yaml"
    try:
        base = msgspec.yaml.decode((packaged if packaged.is_file() else Path(file)).read_bytes(), type=dict)
        return msgspec.convert({**base, **{k: v for k, v in overrides.items() if v is not None}}, TrainConfig)
    except OSError as error:
        raise JobError(f"training config {file} cannot be read: {error.strerror}") from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise JobError(
            f"training config {file}: {error}; see rayapp/redrec/training/trainer.py for every key"
        ) from None


def sequences_dataset(
    folder: DataFolder, scenarios: tuple[str, ...] = (), blocks: int = 4
) -> tuple[ray.data.Dataset, Any, Any]:
    """(user sequences as a dataset, items, vocabulary): normalised, hashed by user, one row a user.

    `scenarios`: events of these alone, where there are any. Raises JobError for one that the folder does not have.
    """
    items = folder.items()
    rows = item_rows(items)
    table = folder.interactions()
    unknown = set(scenarios) - set(pc.unique(table["scenario"]).to_pylist())
    if unknown:
        raise JobError(f"{folder.path} has no events of scenario {', '.join(sorted(unknown))}")
    vocabulary = vocabulary_of(of_scenarios(table, scenarios))
    where = str(folder.path)
    if folder.archive:
        interactions = ray.data.from_arrow(of_scenarios(table, scenarios))
    else:
        interactions = ray.data.read_parquet(str(folder.path / "interactions.parquet")).map_batches(
            lambda t: of_scenarios(normalise_interactions(t, where), scenarios),
            batch_format="pyarrow",
            batch_size=None,
        )
    dataset = interactions.repartition(blocks, keys=["user_id"]).map_batches(
        lambda t: user_sequences(t, vocabulary, rows), batch_format="pyarrow", batch_size=None
    )
    return dataset.materialize(), items, vocabulary


def with_model_folders(settings: TrainConfig, config: Config) -> TrainConfig:
    """Language models by the folders that workers can load. Raises JobError for an encoder that cannot learn."""
    cache = config.llm_cache
    model = settings.model
    encoder = settings.encoder
    if model.item_learning != "frozen":
        if not encoder.startswith(DECODER) or "|" in encoder:
            raise JobError(
                f"model.item_learning: {model.item_learning} needs a decoder as the encoder, such as "
                f"{DECODER}SmolLM2-135M-Instruct; it is {encoder}"
            )
        encoder = DECODER + model_folder(encoder.removeprefix(DECODER), cache)
    if model.user_model:
        model = msgspec.structs.replace(model, user_model=model_folder(model.user_model, cache))
    return msgspec.structs.replace(settings, encoder=encoder, model=model)


@job("Train RED-Rec on a data folder and publish it as a version of the registry. Run again to resume.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with interactions.parquet.")
@click.option(
    "--train-config",
    type=click.Path(),
    help="YAML of training settings (rayapp/redrec/training/trainer.py), or the name of one of jobs/configs; "
    f"default: the config's training.config, or {RECIPE}.",
)
@click.option("--minutes", type=float, help="Time budget of training.")
@click.option("--epochs", type=int, help="At most this many passes.")
@click.option("--seed", type=int, help="Seed of weights, batches and negatives.")
@click.option(
    "--holdout",
    type=click.IntRange(1, 2),
    default=2,
    help="Last events kept from training: 2 leaves "
    "validation and test out, 1 only validation (what `rayapp up` serves).",
)
@click.option(
    "--split",
    type=click.Choice(list(SPLITS)),
    default="last",
    help="Held out are a user's last events, or the last events of each scenario of a user (jobs.evaluate_cross).",
)
@click.option("--scenario", "scenarios", multiple=True, help="Train on the events of this scenario alone (repeatable).")
@click.option("--workers", type=click.IntRange(1), default=1, help="Training workers (data parallel).")
@click.option("--gpu", is_flag=True, help="A GPU for every worker.")
@click.option("--models", type=str, help="Registry root; default: <state>/models.")
@click.option("--name", type=str, help="Model name; default: redrec-<folder name>.")
@click.option("--offsets", type=str, default="{}", help="JSON {topic: {partition: next offset}} the data covers.")
def main(
    config: Config,
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
) -> dict[str, Any]:
    settings = load_train_config(
        train_config or config.training.config or RECIPE, {"minutes": minutes, "epochs": epochs, "seed": seed}
    )
    settings = with_model_folders(settings, config)
    folder = DataFolder(data)
    name = name or f"redrec-{folder.path.resolve().name}"
    digest = folder.digest()
    connect_ray()
    console.print(f"[1/4] reading {folder.path}")
    dataset, items, vocabulary = sequences_dataset(folder, scenarios)
    try:
        periods(settings.model.trend_days, vocabulary.time)
    except ValueError as error:
        raise JobError(str(error)) from None
    console.print(f"      {dataset.count():,} users, {len(items):,} items, scenarios {', '.join(vocabulary.scenarios)}")
    console.print(f"[2/4] encoding items with {settings.encoder}")
    content = encoded(settings.encoder, items, cache=config.encoder_cache, say=console.print)
    key = json.dumps([msgspec.to_builtins(settings), digest, holdout, split, scenarios, name, workers])
    run = f"train-{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    storage = (config.state_path / "train").resolve()
    console.print(f"[3/4] training, at most {settings.minutes:g} minutes (run {run}; an interrupted run resumes)")
    trainer = ray.train.torch.TorchTrainer(
        train_loop,
        train_loop_config={
            "settings": msgspec.to_builtins(settings),
            "vocabulary": msgspec.to_builtins(vocabulary),
            "content": content,
            "texts": [item.text for item in items] if settings.model.item_learning != "frozen" else [],
            "holdout": holdout,
            "split": split,
        },
        datasets={"train": dataset},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker=None if gpu else {"CPU": 2}
        ),
        run_config=ray.train.RunConfig(
            name=run,
            storage_path=str(storage),
            failure_config=ray.train.FailureConfig(max_failures=3),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    result = trainer.fit()
    if result.checkpoint is None:
        raise JobError("training ended without a checkpoint; see the log above")
    console.print("[4/4] publishing")
    manifest, metrics = publish_trained(
        config,
        settings,
        folder,
        items,
        vocabulary,
        content,
        result.checkpoint,
        models,
        name,
        json.loads(offsets),
        {"holdout": holdout, "split": split, "scenarios": scenarios},
    )
    shutil.rmtree(storage / run, ignore_errors=True)
    rows = [
        [
            f"{name}@{manifest.version}",
            *(metrics["validation"][m][k] for m in ("kept", "masked") for k in ("hr@10", "ndcg@10")),
        ]
    ]
    print_table(
        "validation (last event but holdout)", ["model", "HR@10 kept", "NDCG@10", "HR@10 masked", "NDCG@10"], rows
    )
    return {"model": name, "version": manifest.version, "metrics": metrics}


if __name__ == "__main__":
    main()
