"""Convert the RED-MMU release (note_embeddings, multiscene_lastn) to a data folder for `train_redrec`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.data.red_mmu import ACTION_BITS, import_red_mmu
from rayapp.domain import ACTIONS, Action
from rayapp.terminal import console, print_table

TRAIN_WITH = "python -m jobs.train_redrec --data {} --train-config FILE   # FILE: encoder: 'table:{}'"


def meanings_of(options: tuple[str, ...]) -> dict[int, Action]:
    """Actions by bit, from `ACTION=BIT` options. Raises JobError."""
    meanings = {}
    for option in options:
        name, _, bit = option.partition("=")
        if name not in ACTIONS or not bit.isdigit() or int(bit) >= ACTION_BITS:
            raise JobError(f"--bit {option}: give ACTION=BIT, an action of {', '.join(ACTIONS)} and a bit of 0 to 31")
        meanings[int(bit)] = Action(name)
    return meanings


@job("Convert the RED-MMU release to a data folder: notes, their vectors, events of homefeed and ads.")
@click.option("--source", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of the release.")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="Data folder to write.")
@click.option(
    "--bit",
    "bits",
    multiple=True,
    help="ACTION=BIT: meaning of a bit of action_set, such as like=3 (repeatable); default: all are clicks.",
)
def main(config: Config, *, source: Path, target: Path, bits: tuple[str, ...]) -> dict[str, Any]:
    meanings = meanings_of(bits)
    reported = 0

    def progress(users: int, events: int) -> None:
        nonlocal reported
        if users - reported >= 50_000:
            reported = users
            console.print(f"      {users:,} users, {events:,} events")

    counts = import_red_mmu(source, target, meanings, progress)
    print_table(str(target), ["", "count"], [[name.replace("_", " "), n] for name, n in counts._asdict().items()])
    console.print(TRAIN_WITH.format(target, target / "vectors.parquet"))
    return counts._asdict() | {"folder": str(target)}


if __name__ == "__main__":
    main()
