"""Train a small recommendation model on a generated sample world and evaluate it beside simple baselines.

    python examples/offline_evaluation.py --minutes 1

Needs no running system. Writes the data folder, the model and a table of HR@10 and NDCG@10 below --folder; give the
path of your own data folder as --data to evaluate on it instead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click

from rayapp.config import Config, save_config
from rayapp.data.sample_world import write_sample_world


def run(job: str, *options: str) -> None:
    """One job, as a user starts it. Exits with the job's code where it fails."""
    command = [sys.executable, "-m", f"jobs.{job}", *options]
    click.echo(f"$ python -m jobs.{job} {' '.join(options)}")
    if code := subprocess.run(command).returncode:
        sys.exit(code)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("offline"), show_default=True, help="Results.")
@click.option("--data", type=click.Path(exists=True), help="A data folder; without it a sample world is generated.")
@click.option("--minutes", default=1.0, show_default=True, help="Time of training.")
def main(folder: Path, data: str | None, minutes: float) -> None:
    """Train a small recommendation model on a generated sample world and evaluate it beside simple baselines."""
    folder = folder.resolve()
    data = data or str(write_sample_world(folder / "sample"))
    config = folder / "config.yaml"
    save_config(Config(state=str(folder / "state")), config)
    common = ("--config", str(config), "--data", data, "--name", "example")
    run("train_redrec", *common, "--train-config", "next_item", "--minutes", str(minutes))
    run("evaluate_redrec", *common, "--out", str(folder / "evaluation.json"))
    for model, metrics in json.loads((folder / "evaluation.json").read_text())["rows"].items():
        kept = metrics["kept"]
        click.echo(f"{model:>20}  HR@10 {kept['hr@10']:.4f}  NDCG@10 {kept['ndcg@10']:.4f}  (history kept)")


if __name__ == "__main__":
    main()
