"""The loop both writers share: follow a topic, export the lag, say once when something is away and when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rayapp.metrics import Metrics
from streaming.consumer import Handler, LogConsumer, stop_signals

LAG_EVERY_S = 2.0


def follow(consumer: LogConsumer, handle: Handler, metrics: Metrics, *, say: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT; the batch in hand is finished and committed. `say` gets a line for each wait."""

    def on_error(error: Exception) -> None:
        say(f"waiting, nothing is lost: {error}")

    def lag(stop: threading.Event) -> None:
        while not stop.wait(LAG_EVERY_S):
            for partition, behind in consumer.lag().items():
                metrics.set(
                    "rayapp_consumer_lag", behind, topic=consumer.topic, partition=str(partition), group=consumer.group
                )

    with stop_signals() as stop:
        watcher = threading.Thread(target=lag, args=(stop,), daemon=True)
        watcher.start()
        started = time.monotonic()
        consumer.run(handle, stop, on_error)
        say(f"stopped after {time.monotonic() - started:.0f} s")
