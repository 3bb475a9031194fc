"""The moderator as a job: every new, changed or reported note is judged by RedOne, off the request path.

Beside it, in a thread of its own, RedOne writes what readers of a note would search next.
"""

from __future__ import annotations

import threading
from typing import Any

import click

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.llm.language_model import LanguageModel
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Judge
from rayapp.moderation.queue import ModerationQueue
from rayapp.search.post_view_queue import PostViewQueue
from rayapp.stores.open import open_store
from rayapp.stores.ports import LeaseTaken
from rayapp.terminal import console
from streaming.consumer import stop_signals
from streaming.producer import EventProducer
from streaming.topics import wait_for_broker


@job("Judge the notes that wait in the moderation queue. Runs until stopped.")
@click.option("--once", is_flag=True, help="Stop when the queue is empty.")
def main(config: Config, once: bool) -> dict[str, Any] | None:
    wait_for_broker(config.bootstrap)
    store = open_store(config.store_url, wait_s=30)
    model = LanguageModel.served(config)
    judge = Judge.of(model, config)
    connect_ray()
    queue = ModerationQueue(config, store, EventProducer(config), Metrics(), judge)
    version, policy = judge.versions
    with store.lease("moderator") as lease:
        console.print(f"model {version}, policy {policy}; {queue.sweep():,} notes to judge (again)")
        if once:
            return {"judged": _once(queue), "model_version": version, "policy_version": policy}
        with stop_signals() as stop:
            post_view = PostViewQueue(config, store, model, judge)
            writer = threading.Thread(target=post_view.run, args=(stop,), name="post-view", daemon=True)
            writer.start()
            queue.run(stop, lease.lost)
        if lease.lost.is_set():
            raise LeaseTaken("the moderator's lease ran out while it stood still; it starts anew")
    return None


def _once(queue: ModerationQueue) -> int:
    """Work the queue off without pauses; how many notes."""
    queue.pace = False
    judged = 0
    while found := queue.step():
        judged += found
        console.print(f"  {judged:,} judged, {queue.waiting.waiting():,} wait")
    return judged


if __name__ == "__main__":
    main()
