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
from rayapp.moderation.batch import WholeNotes, concluded, judge_of, looked
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
    progress = Progress(before, total)
    still_open: list[dict[str, Any]] = []
    if rows.take(1):  # counts would miss a note whose text changed since it was judged
        for batch in arrow_tables(
            looked(rows, config.llm_access).iter_batches(batch_size=part, batch_format="pyarrow")
        ):
            found = batch.to_pylist()
            still_open += [row for row in found if row["scores"]]
            progress.keep(backlog, [row for row in found if not row["scores"]])
    if still_open:
        console.print(f"  {len(still_open):,} notes are open: the language model is asked")
        notes_whole = WholeNotes(judge)
        asked = Progress(before + progress.counts.total(), total, progress.counts)
        answers = concluded(still_open, config.llm_access, engines=engines, engine=settings)
        for batch in arrow_tables(answers.iter_batches(batch_size=part, batch_format="pyarrow")):
            asked.keep(backlog, notes_whole.add(batch.to_pylist()))
        progress.rate_open = asked.rate
    counts = progress.counts
    print_table("verdicts", ["", "notes"], [[name, count] for name, count in sorted(counts.items())])
    versions = {"model_version": judge.model_version, "policy_version": judge.policy_version}
    return {
        "judged": counts.total() - counts["not a note"],
        "judged_before": before,
        "notes_a_second": progress.rate,
        "asked": len(still_open),
        "asked_a_second": progress.rate_open,
        **counts,
        **versions,
    }


class Progress:
    """Keeps verdicts, counts them, and says every fifteen seconds how far it is."""

    def __init__(self, before: int, total: int, counts: Counter[str] | None = None) -> None:
        self.before = before
        self.total = total
        self.counts: Counter[str] = counts if counts is not None else Counter()
        self.kept = 0
        self.begun = math.inf
        self.rate = self.rate_open = 0.0
        self.last_line = time.monotonic()

    def keep(self, backlog: ParquetBacklog | TopicBacklog, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        backlog.keep(rows)
        self.kept += len(rows)
        self.counts.update(_what(row) for row in rows)
        self.begun = min(self.begun, *(row.get("begun", math.inf) for row in rows), time.time())
        self.rate = self.kept / max(1e-3, time.time() - self.begun)  # loading an engine is not judging
        done = self.before + self.kept
        if time.monotonic() - self.last_line > PROGRESS_EVERY_S or done == self.total:
            self.last_line = time.monotonic()
            console.print(f"  {done:,} of {self.total:,}, {self.rate:.1f} per second")


def _what(row: dict[str, Any]) -> str:
    return msgspec.json.decode(row["verdict"], type=Verdict).decision.value if row["verdict"] else "not a note"


if __name__ == "__main__":
    main()
