"""Archive behaviour, exposures and verdicts from Kafka as date-partitioned Parquet: a data folder beyond retention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pyarrow.compute as pc

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.learner.window_rows import read_rows
from rayapp.stores.open import open_store
from rayapp.terminal import console, print_table
from streaming.archive import (
    behaviour_rows,
    ends,
    forgotten_rows,
    note_forgotten,
    record_rows,
    rewrite,
    write_catalogue,
    write_rows,
)
from streaming.reading import consumer_for, watermarks
from streaming.topics import wait_for_broker
from streaming.windows import plan_window

TOPICS = ("behaviour", "exposures", "verdicts")


@job("Archive the records in Kafka as Parquet, continuing after the last run. --rewrite removes forgotten users.")
@click.option("--to", "to", type=click.Path(), help="Archive folder; default: <state>/archive.")
@click.option("--rows", default=100_000, type=click.IntRange(1), help="Maximum number of records per read.")
@click.option(
    "--on-gap",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    help="What to do when retention removed records first.",
)
@click.option("--rewrite", "rewriting", is_flag=True, help="Also remove forgotten users from every file.")
def main(config: Config, *, to: str | None, rows: int, on_gap: str, rewriting: bool) -> dict[str, Any]:
    root = Path(to) if to else config.state_path / "archive"
    wait_for_broker(config.broker)
    connect_ray()
    consumer = consumer_for(config.broker)
    result: dict[str, Any] = {"archive": str(root), "records": {}}
    for short in TOPICS:
        topic = config.topic(short)
        marks = watermarks(consumer, topic)
        at = ends(root, short)
        number = written = 0
        while (plan := plan_window(number, topic, at, marks, max_rows=rows, skip_gaps=on_gap == "skip")) is not None:
            for gap in plan.gaps:
                console.print(
                    f"{topic}/{gap.partition}: {gap.rows} records from offset {gap.start} on were removed by retention"
                )
            table = read_rows(config.broker, plan)
            if short == "behaviour":
                note_forgotten(root, forgotten_rows(table, topic, config.scenarios))
            convert = behaviour_rows(topic, config.scenarios) if short == "behaviour" else record_rows
            for planned in plan.ranges:
                in_partition = table.filter(pc.equal(table["partition"], planned.partition))
                written += write_rows(root, short, in_partition, convert)
            at.update(plan.ends())
            number += 1
            left = sum(max(0, high - at.get(p, 0)) for p, (_, high) in marks.items())
            console.print(f"{topic}: {written:,} records written, {left:,} left")
        result["records"][short] = written
    reader = open_store(config.store_url, wait_s=30).catalogue()
    stored = (item.item for page in reader.scan() for item in page if item.item is not None)
    result["items"] = write_catalogue(root, stored)
    if rewriting:
        result["taken_out"] = rewrite(root)
    print_table(f"archive {root}", ["topic", "records written"], [[k, v] for k, v in result["records"].items()])
    return result


if __name__ == "__main__":
    main()
