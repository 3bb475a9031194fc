"""Judge a backlog of notes offline, with engines of this job: a Parquet table, or all of `rayapp.items`."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec

from rayapp.cli.job import JobError, job, option_object
from rayapp.cluster import arrow_tables, connect_ray
from rayapp.config import Config
from rayapp.domain import Verdict
from rayapp.moderation.backlog import ParquetBacklog, TopicBacklog
from rayapp.moderation.batch import WholeNotes, judge_of, judged
from rayapp.stores.open import open_store
from rayapp.terminal import console, print_table
from streaming.topics import wait_for_broker

PROGRESS_EVERY_S = 15.0


@job("Judge a backlog of notes with ray.data.llm. Resumable.")
@click.option("--notes", type=click.Path(path_type=Path), help="Parquet file or folder: item_id, and title or text.")
@click.option("--verdicts", type=click.Path(path_type=Path), help="Folder for the verdicts of --notes.")
@click.option("--topic", is_flag=True, help="Judge rayapp.items; verdicts are stored and written to rayapp.verdicts.")
@click.option("--engines", default=1, type=click.IntRange(1), help="vLLM engines in parallel, one GPU each.")
@click.option("--engine", default="{}", help="JSON object with keys of vLLM's EngineArgs.")
@click.option(
    "--part",
    default=512,
    type=click.IntRange(1),
    help="Notes per batch: at most this many per engine are judged again after an interruption.",
)
def main(
    config: Config, *, notes: Path | None, verdicts: Path | None, topic: bool, engines: int, engine: str, part: int
) -> dict[str, Any]:
    settings = option_object("--engine", engine)
    if topic == (notes is not None) or (notes is None) != (verdicts is None):
        raise JobError("give --notes TABLE --verdicts FOLDER, or --topic")
    connect_ray(quiet=True)
    judge = judge_of(config.llm_access)
    if notes is not None and verdicts is not None:
        backlog: ParquetBacklog | TopicBacklog = ParquetBacklog(notes, verdicts, judge.versions)
    else:
        wait_for_broker(config.broker)
        backlog = TopicBacklog(config.broker, open_store(config.store_url, wait_s=30), judge.versions)
    rows, total, before = backlog.waiting()
    console.print(
        f"model {judge.model_version}, policy {judge.policy_version}: {total:,} notes, {before:,} judged before"
    )
    counts: Counter[str] = Counter()
    rate = 0.0
    if rows.take(1):  # counts would miss a note whose text changed since it was judged
        notes_whole = WholeNotes()
        last_line, begun = time.monotonic(), math.inf
        answers = judged(rows, config.llm_access, engines=engines, engine=settings)
        for batch in arrow_tables(answers.iter_batches(batch_size=part, batch_format="pyarrow")):
            judged_rows = notes_whole.add(batch.to_pylist())
            if not judged_rows:
                continue
            backlog.keep(judged_rows)
            now = time.monotonic()
            counts.update(_what(row) for row in judged_rows)
            begun = min(begun, *(row["begun"] for row in judged_rows))
            rate = counts.total() / (time.time() - begun)  # loading an engine is not judging
            if now - last_line > PROGRESS_EVERY_S or counts.total() == total - before:
                last_line = now
                console.print(f"  {before + counts.total():,} of {total:,}, {rate:.1f} per second")
    print_table("verdicts", ["", "notes"], [[name, count] for name, count in sorted(counts.items())])
    versions = {"model_version": judge.model_version, "policy_version": judge.policy_version}
    return {
        "judged": counts.total() - counts["not a note"],
        "judged_before": before,
        "notes_a_second": rate,
        **counts,
        **versions,
    }


def _what(row: dict[str, Any]) -> str:
    return msgspec.json.decode(row["verdict"], type=Verdict).decision.value if row["verdict"] else "not a note"


if __name__ == "__main__":
    main()
