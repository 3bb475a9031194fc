"""The history writer as a job: from the behaviour topic to the history store; bad records are dead letters."""

from __future__ import annotations

from typing import Any

from rayapp.cli.job import job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.metrics import Metrics
from rayapp.stores.open import open_store
from rayapp.terminal import console
from streaming.consumer import LogConsumer
from streaming.dead_letters import DeadLetters
from streaming.history_writer import GROUP, HistoryApplier
from streaming.producer import EventProducer
from streaming.reporter import Reporter
from streaming.topics import wait_for_broker
from streaming.writer import follow


@job("Write each user's recent behaviour and seen items to the store. Runs until stopped.")
def main(config: Config) -> dict[str, Any] | None:
    wait_for_broker(config.broker)
    store = open_store(config.store_url, wait_s=30)
    if changed := store.upgrade(config.history):
        console.print(f"the store is of an earlier release: {changed:,} keys of users expire from now on")
    connect_ray()
    metrics = Metrics()
    dead = DeadLetters(EventProducer(config.broker), config.topic("dead"), metrics)
    topic = config.topic("behaviour")
    handler = HistoryApplier(
        store,
        dead,
        metrics,
        history=config.history,
        scenarios=config.scenarios,
    )
    console.print(f"writing histories from {topic}")
    follow(
        LogConsumer(config.broker, topic, GROUP, batch=2000),
        handler,
        dead=dead,
        reporter=Reporter("history", store.job_states()),
        metrics=metrics,
        say=console.print,
    )
    return None


if __name__ == "__main__":
    main()
