"""The mean of an adapter and what it became by training on: often as good as the one on what either is good at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs._job import console, job
from rayapp.config import Config
from rayapp.redone.adapter import averaged


@job("Average LoRA adapters that were trained from one another (model soups) into one that serves like any other.")
@click.option(
    "--adapter", "adapters", required=True, multiple=True, type=click.Path(path_type=Path), help="Repeatable."
)
@click.option("--weight", "weights", multiple=True, type=float, help="Of each, in order; default: equal weights.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the new adapter.")
def main(config: Config, adapters: tuple[Path, ...], weights: tuple[float, ...], output: Path) -> dict[str, Any]:
    shares = list(weights) or [1 / len(adapters)] * len(adapters)
    averaged(list(adapters), shares, output)
    console.print(f"{output}: " + " + ".join(f"{w:g} x {a}" for w, a in zip(shares, adapters, strict=True)))
    return {"output": str(output), "adapters": [str(a) for a in adapters], "weights": shares}


if __name__ == "__main__":
    main()
