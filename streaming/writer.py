"""The loop both writers share: follow a topic, export the lag, say once when something is away and when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rayapp.metrics import Metrics
from streaming.applying import Handler
from streaming.consumer import LogConsumer, stop_signals
from streaming.dead_letters import DeadLetters
from streaming.reporter import Reporter

BEAT_EVERY_S = 2.0


def follow(
    consumer: LogConsumer,
    handle: Handler,
    *,
    dead: DeadLetters,
    reporter: Reporter,
    metrics: Metrics,
    say: Callable[[str], None],
) -> None:
    """Until SIGTERM or SIGINT; the batch in hand is finished and committed. `say` gets a line for each wait."""

    def on_state(error: Exception | None) -> None:
        reporter.problem(error)
        say("going on" if error is None else f"waiting, nothing is lost: {error}")

    def beat(stop: threading.Event) -> None:
        while True:
            reporter.beat()
            for partition, behind in consumer.lag().items():
                metrics.set(
                    "rayapp_consumer_lag", behind, topic=consumer.topic, partition=str(partition), group=consumer.group
                )
            if stop.wait(BEAT_EVERY_S):
                return

    with stop_signals() as stop:
        threading.Thread(target=beat, args=(stop,), daemon=True).start()
        started = time.monotonic()
        consumer.run(handle, stop, dead=dead, on_state=on_state)
        say(f"stopped after {time.monotonic() - started:.0f} s")
