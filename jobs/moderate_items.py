"""The moderator as a job: every new, changed or reported note is judged, off the request path.

In another thread RedOne writes the queries that readers of a note may search next.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import click
import torch

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.cores import usable_cores
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.work_queue import WorkQueue
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Judge
from rayapp.moderation.note_worker import NoteWorker, WaitingNote
from rayapp.moderation.verdict_log import VerdictLog
from rayapp.search.post_view_worker import PostViewWorker
from rayapp.stores.open import open_store
from rayapp.stores.ports import LeaseTaken
from rayapp.terminal import console
from streaming.consumer import stop_signals
from streaming.producer import EventProducer
from streaming.topics import wait_for_broker


@job("Judge the notes in the moderation queue. Runs until stopped.")
@click.option("--once", is_flag=True, help="Stop when the queue is empty.")
def main(config: Config, *, once: bool) -> dict[str, Any] | None:
    wait_for_broker(config.broker)
    store = open_store(config.store_url, wait_s=30)
    model = LanguageModel.served(config.llm_access) if config.llm.enabled else None
    judge = Judge.of(model, config.llm)
    torch.set_num_threads(config.cpus or usable_cores())  # a job has one thread, and what is loaded waits for this
    connect_ray()
    log = VerdictLog(EventProducer(config.broker), config.topic("verdicts"), store.verdicts())
    notes = NoteWorker(store, log, judge, Metrics(), scenarios=config.scenarios, batch=config.llm.batch)
    queue = WorkQueue(notes, share=config.llm.backlog_share, say=console.print, paced=not once)
    version, policy = judge.versions
    with store.lease("moderator") as lease:
        console.print(f"model {version}, policy {policy}; {notes.sweep():,} notes to judge")
        if once:
            return {"judged": _once(queue, notes), "model_version": version, "policy_version": policy}
        with stop_signals() as stop:
            if model is not None:
                worker = PostViewWorker(store, model, judge)
                post_view = WorkQueue(worker, share=config.llm.backlog_share, say=console.print)
                work = partial(post_view.run, stop)
                threading.Thread(target=work, name="post-view", daemon=True).start()
            queue.run(stop, lost=lease.lost)
        if lease.lost.is_set():
            raise LeaseTaken("the moderator's lease expired while it was not running; it restarts")
    return None


def _once(queue: WorkQueue[WaitingNote], notes: NoteWorker) -> int:
    """Judge everything in the queue without pauses; the number of notes."""
    judged = 0
    while done := queue.step():
        judged += done
        console.print(f"  {judged:,} judged, {notes.queue.waiting():,} waiting")
    return judged


if __name__ == "__main__":
    main()
