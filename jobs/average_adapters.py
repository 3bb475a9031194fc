"""The mean of two adapters of which one was trained on from the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.llm.average import averaged
from rayapp.terminal import console


@job(
    "Average an adapter with one that was trained on from it: often better than either where they are good at different sets."
)
@click.option("--first", required=True, type=click.Path(path_type=Path), help="Folder of the one.")
@click.option("--second", required=True, type=click.Path(path_type=Path), help="Folder of the other.")
@click.option("--weight", default=0.5, type=click.FloatRange(0, 1), help="Of the second.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the mean; a new one.")
def main(config: Config, *, first: Path, second: Path, weight: float, output: Path) -> dict[str, Any]:
    folder = averaged(first, second, weight, output)
    console.print(f"{1 - weight:g} of {first} and {weight:g} of {second} are in {folder}")
    return {"output": folder, "weights": {str(first): 1 - weight, str(second): weight}}


if __name__ == "__main__":
    main()
