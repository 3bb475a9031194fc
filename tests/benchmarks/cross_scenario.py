"""What several scenarios together are worth, and the paper's ablations: every arm trained alike, on the same targets.

    python -m tests.benchmarks.cross_scenario --data amazon-cross --folder cross --minutes 15

Run again, it goes on: arms that are trained are not trained again. `--arm` trains some of the ablations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import msgspec
import pyarrow.compute as pc

from rayapp.data.folder import DataFolder
from tests.benchmarks._jobs import run_job, trained

# What differs from the whole model, which is `together`.
ABLATIONS: dict[str, dict[str, Any]] = {
    "1-D": {"model": {"mixing": "scenario"}},
    "concatenated": {"model": {"mixing": "concatenated"}},
    "by-time": {"model": {"mixing": "time"}},
    "three-queries": {"model": {"interests": 3}, "window": 3},
    "length-32": {"model": {"length": 32}},
    "content-only": {"model": {"use_ids": False}},
}


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option(
    "--data", required=True, type=click.Path(path_type=Path, exists=True), help="Data folder, 2 scenarios or more."
)
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For models and the result.")
@click.option(
    "--train-config", default="jobs/configs/cross_scenario.yaml", type=click.Path(path_type=Path, exists=True)
)
@click.option("--minutes", default=15.0, help="Of training, each arm.")
@click.option("--seed", default=0)
@click.option(
    "--arm", "arms", multiple=True, type=click.Choice(list(ABLATIONS)), help="Repeatable; default: all of them."
)
@click.option(
    "--compare",
    multiple=True,
    type=click.Choice(["alone", "ablations"]),
    default=["alone", "ablations"],
    help="What one model of all scenarios is compared with (repeatable).",
)
@click.option("--target", type=click.Choice(["test", "validation"]), default="test")
@click.option("--config", default="", help="As of any job.")
def main(
    data: Path,
    folder: Path,
    train_config: Path,
    minutes: float,
    seed: int,
    arms: tuple[str, ...],
    compare: tuple[str, ...],
    target: str,
    config: str,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models"
    told = ["--config", config] if config else []
    base = msgspec.yaml.decode(train_config.read_bytes(), type=dict)

    def arm(name: str, changed: dict[str, Any], *arguments: str) -> str:
        file = folder / f"{name}.yaml"
        model = {**base.get("model", {}), **changed.get("model", {})}
        file.write_bytes(msgspec.yaml.encode({**base, **changed, "model": model}))
        run = ("--minutes", str(minutes), "--seed", str(seed), "--split", "scenario", *arguments)
        return trained(models, f"{name}-{seed}", *told, "--data", str(data), "--train-config", str(file), *run)

    whole = arm("together", {})
    others = {}
    if "alone" in compare:
        scenarios = sorted(pc.unique(DataFolder(data).interactions()["scenario"]).to_pylist())
        others["alone"] = ["--alone", *(arm(f"{name}-alone", {}, "--scenario", name) for name in scenarios)]
    if "ablations" in compare:
        others["ablations"] = ["--together", *(arm(name, ABLATIONS[name]) for name in arms or ABLATIONS)]
    for label, (option, *names) in others.items():
        result = run_job(
            "evaluate_cross",
            *(*told, "--data", str(data), "--models", str(models), "--target", target, "--together", whole),
            *(part for name in names for part in (option, name)),
        )
        (folder / f"{label}-{target}-{seed}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
