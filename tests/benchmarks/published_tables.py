"""RED-Rec on a set with published results: several seeds, both maskings, beside the published rows.

    python -m tests.benchmarks.published_tables --data ml-1m --folder tables

Run again, it goes on: seeds that are trained are not trained again.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from rayapp.terminal import print_table
from tests.benchmarks._jobs import run_job, trained

# HR@10 and NDCG@10 of full rankings on exactly these splits, by how the history is treated.
PUBLISHED = {
    "ml-1m": {"masked": {"SASRec": (0.2392, 0.1259), "gSASRec": (0.3003, 0.1726), "HSTU-large, other filter": (0.3294, 0.1893)}},
    "amazon-beauty": {"kept": {"SASRec++": (0.0615, 0.0315), "HSTU": (0.0647, 0.0341), "HSTU+SPRINT": (0.0695, 0.0413)}},
    "amazon-toys": {"kept": {"SASRec++": (0.0780, 0.0392), "HSTU": (0.0686, 0.0379), "SASRec+++SPRINT": (0.0804, 0.0485)}},
}  # fmt: skip


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="A data folder.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For models and results.")
@click.option("--train-config", default="jobs/configs/next_item.yaml", type=click.Path(exists=True))
@click.option("--minutes", default=20.0, help="Of training, each seed.")
@click.option("--seeds", default=3, type=click.IntRange(1))
@click.option("--target", type=click.Choice(["test", "validation"]), default="test")
@click.option("--config", default="", help="As of any job.")
def main(data: Path, folder: Path, train_config: str, minutes: float, seeds: int, target: str, config: str) -> None:
    told = ["--config", config] if config else []
    models, found = folder / "models", []
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for seed in range(seeds):
        name = trained(
            models,
            f"{data.name}-{Path(train_config).stem}-{seed}",
            *(
                *told,
                "--data",
                str(data),
                "--train-config",
                train_config,
                "--minutes",
                str(minutes),
                "--seed",
                str(seed),
            ),
        )
        evaluate = (*told, "--data", str(data), "--models", str(models), "--name", name, "--target", target)
        rows = run_job("evaluate_redrec", *evaluate)["rows"]
        found.append(rows[next(label for label in rows if label.startswith(f"{name}@"))])
    result = {"seeds": found, "popularity": rows["popularity"], "item-kNN": rows["item-kNN"]}
    (folder / f"{data.name}-{target}.json").write_text(json.dumps(result, indent=1))
    table = []
    for mask in ("kept", "masked"):
        for label in ("popularity", "item-kNN"):
            table.append([label, mask, *(f"{rows[label][mask][m]:.4f}" for m in ("hr@10", "ndcg@10"))])
        for label, figures in PUBLISHED.get(data.name, {}).get(mask, {}).items():
            table.append([f"{label}, published", mask, *(f"{value:.4f}" for value in figures)])
        ours = {m: np.array([one[mask][m] for one in found]) for m in ("hr@10", "ndcg@10")}
        spread = [f"{v.mean():.4f} ({v.min():.4f} to {v.max():.4f})" for v in ours.values()]
        table.append([f"RED-Rec, {seeds} seeds", mask, *spread])
    print_table(f"{data.name}, {target}, {minutes:g} minutes a seed", ["", "history", "HR@10", "NDCG@10"], table)


if __name__ == "__main__":
    main()
