"""Average the weights of two adapters, one of which continued the training of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.llm.average import averaged
from rayapp.terminal import console


@job(
    "Average the weights of an adapter and of one that continued its training (model soup); often better than either "
    "when they excel on different sets."
)
@click.option("--first", required=True, type=click.Path(path_type=Path), help="Folder of the first adapter.")
@click.option("--second", required=True, type=click.Path(path_type=Path), help="Folder of the second adapter.")
@click.option("--weight", default=0.5, type=click.FloatRange(0, 1), help="Weight of the second adapter.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="Folder for the average; must not exist."
)
def main(config: Config, *, first: Path, second: Path, weight: float, output: Path) -> dict[str, Any]:
    folder = averaged(first, second, weight, output)
    console.print(f"{folder}: {1 - weight:g} x {first} + {weight:g} x {second}")
    return {"output": folder, "weights": {str(first): 1 - weight, str(second): weight}}


if __name__ == "__main__":
    main()
