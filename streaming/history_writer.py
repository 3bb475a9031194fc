"""From the behaviour topic to the history store: the one writer of histories and seen sets."""

from __future__ import annotations

import time

from confluent_kafka import Message

from rayapp.domain import Action, Event, Forget
from rayapp.metrics import Metrics
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Urgency
from rayapp.stores.settings import History
from rayapp.validation import InvalidRecord
from streaming.dead_letters import Bad, DeadLetters
from streaming.records import is_bulk, message_record

GROUP = "rayapp-history"


class HistoryApplier:
    """Applies batches in log order; bad records go to the dead-letter topic and the rest goes on."""

    def __init__(
        self,
        store: StoreBackend,
        dead: DeadLetters,
        metrics: Metrics,
        *,
        history: History,
        scenarios: tuple[str, ...],
    ) -> None:
        self.scenarios = scenarios
        self.queue = store.moderation_queue()
        self.writer = store.history_log(history)
        self.dead = dead
        self.metrics = metrics

    def __call__(self, messages: list[Message]) -> None:
        pending: list[tuple[Event, int]] = []
        live: list[Event] = []
        bad: list[Bad] = []
        applied = total = 0
        for message in messages:
            try:
                record, at = message_record(message, self.scenarios)
            except InvalidRecord as error:
                bad.append((message, error))
                continue
            if isinstance(record, Forget):  # what stands before it must be applied first, what follows after it
                applied += self.writer.apply(pending)
                pending = []
                self.writer.forget(record.user_id)
                continue
            total += 1
            pending.append((record, at))
            if not is_bulk(message):
                live.append(record)
        applied += self.writer.apply(pending)
        if bad:
            self.dead.send(bad)
        self._queue_reported(live)
        self._observe(live, applied, total - applied)

    def _queue_reported(self, live: list[Event]) -> None:
        """What a user reports is judged again (an item that is in no catalogue is dropped from the queue)."""
        self.queue.enqueue([e.item_id for e in live if e.action is Action.REPORT and e.item_id], Urgency.NOW)

    def _observe(self, live: list[Event], applied: int, duplicates: int) -> None:
        now = time.time() * 1000
        for event in live:
            self.metrics.observe("rayapp_freshness_seconds", (now - event.received_ms) / 1000, stage="history")
        if applied:
            self.metrics.count("rayapp_events_total", applied, result="applied")
        if duplicates:
            self.metrics.count("rayapp_events_total", duplicates, result="duplicate")
