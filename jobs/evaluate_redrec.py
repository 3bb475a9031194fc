"""Leave-one-out evaluation with full ranking, compared with popularity and item-kNN."""

from __future__ import annotations

from typing import Any

import click
import torch

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.data.folder import DataFolder, item_rows, vocabulary_of
from rayapp.data.sequences import sequences_of, user_sequences
from rayapp.data.split import leave_one_out
from rayapp.redrec.evaluation.baselines import ItemKNN, Popularity
from rayapp.redrec.evaluation.evaluate import evaluate, model_scorer
from rayapp.redrec.evaluation.metrics import CUTOFFS
from rayapp.redrec.model.artifact import ItemSpace, load_user_side
from rayapp.stores.registry import Registry
from rayapp.terminal import print_table


@job("HR and NDCG at 5, 10, 50, 100 and MRR over all items, with history items kept and masked, and simple baselines.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with interactions.parquet.")
@click.option("--models", type=str, help="Registry root; default: <state>/models.")
@click.option("--name", type=str, help="Model name; default: redrec-<folder name>.")
@click.option("--version", default="CURRENT", help="Version number, alias, HEAD or CURRENT.")
@click.option(
    "--target",
    type=click.Choice(["test", "validation"]),
    default="test",
    help="Target: last event (test) or the one before.",
)
@click.option(
    "--knn-decay", default=0.6, help="item-kNN: factor on a history item's weight per position before the newest."
)
@click.option("--baselines-only", is_flag=True, help="Evaluate only the baselines.")
def main(
    config: Config,
    *,
    data: str,
    models: str | None,
    name: str | None,
    version: str,
    target: str,
    knn_decay: float,
    baselines_only: bool,
) -> dict[str, Any]:
    folder = DataFolder(data)
    items = folder.items()
    name = name or f"redrec-{folder.path.resolve().name}"
    registry = Registry(models or f"{config.state}/models", name)
    rows: list[list[Any]] = []
    result: dict[str, Any] = {"data": str(folder.path), "target": target, "rows": {}}

    def add(label: str, metrics: dict[str, dict[str, float]]) -> None:
        result["rows"][label] = metrics
        for mask in ("kept", "masked"):
            m = metrics[mask]
            rows.append([label, mask, *(m[f"hr@{k}"] for k in CUTOFFS), *(m[f"ndcg@{k}"] for k in CUTOFFS), m["mrr"]])

    user = space = None
    if not baselines_only:
        number = registry.resolve(version)
        manifest = registry.manifest(number)
        need = 2 if target == "test" else 1
        by = manifest.metrics.get("split", "last")
        if manifest.metrics.get("holdout", 0) < need or manifest.parent is not None or by != "last":
            raise JobError(
                f"{name}@{number} has seen the {target} events (holdout {manifest.metrics.get('holdout')}); "
                f"train with: python -m jobs.train_redrec --data {data} --holdout 2"
            )
        user = load_user_side(registry.fetch(number), manifest.config)
        space = ItemSpace(registry.space_folder(manifest.space), manifest.config)
        vocabulary = user.vocabulary
        order = space.rows
        count = len(space.ids)
    else:
        vocabulary, order, count = vocabulary_of(folder.interactions()), item_rows(items), len(items)
    sequences = sequences_of(user_sequences(folder.interactions(), vocabulary, order))
    train, split = leave_one_out(sequences, 1 if target == "test" else 2)
    history = [s.items for s in train]
    for label, baseline in (
        ("popularity", Popularity(history, count)),
        ("item-kNN", ItemKNN(history, count, knn_decay)),
    ):
        add(label, evaluate(split, lambda i, b=baseline: b.scores([split.histories[j].items for j in i])))
    if user is not None and space is not None:
        contents = space.content.float().numpy()
        vectors = torch.from_numpy(space.project(contents, space.ids))
        add(f"{name}@{manifest.version}", evaluate(split, model_scorer(user, vectors, split)))
    columns = ["model", "history", *(f"HR@{k}" for k in CUTOFFS), *(f"NDCG@{k}" for k in CUTOFFS), "MRR"]
    print_table(f"{folder.path.name}: {len(split.targets):,} users, {count:,} items, {target} target", columns, rows)
    return result


if __name__ == "__main__":
    main()
