"""Encode the texts and pictures of a catalogue before training and serving, in parallel over the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.content.distributed import encode_with_ray
from rayapp.data.folder import DataFolder
from rayapp.terminal import console, print_table


@job("Compute the content vectors of a data folder's items with Ray Data; cached ones are skipped. Resumable.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with items.parquet.")
@click.option("--encoder", default="", help="Encoder; default: `encoder` of the configuration.")
@click.option(
    "--encoders", default=1, type=click.IntRange(1), help="Encoders in parallel, one GPU each if there are GPUs."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Cache folder shared by all nodes; default: <state>/cache."
)
def main(config: Config, *, data: str, encoder: str, encoders: int, cache: Path | None) -> dict[str, Any]:
    items = DataFolder(data).items()
    name = encoder or config.encoder
    connect_ray(quiet=True)
    console.print(f"{len(items):,} items, encoder {name}")
    encoding = encode_with_ray(
        name,
        items,
        cache=(cache or config.encoder_cache.vectors).resolve(),
        models=config.llm_cache.resolve(),
        encoders=encoders,
        on_progress=lambda done, total: console.print(f"  {done:,} of {total:,}"),
    )
    for text in encoding["unreadable"][:5]:
        console.print(f"  left out: {text}")
    counts = {**encoding, "unreadable": len(encoding["unreadable"])}
    print_table(name, ["", "count"], [[label.replace("_", " "), count] for label, count in counts.items()])
    return {"encoder": name} | encoding


if __name__ == "__main__":
    main()
