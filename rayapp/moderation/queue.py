"""Working the moderation queue off: verdicts stored, written to the topic, and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from confluent_kafka import KafkaException

from rayapp.config import Config
from rayapp.content.text_encoder import text_key
from rayapp.domain import Verdict, encode
from rayapp.llm.completions import ModelAway
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Judge, Note
from rayapp.stores.backend import StoreBackend
from rayapp.stores.ports import StoreRefused, StoreUnreachable
from rayapp.stores.records import Queued, Urgency
from rayapp.terminal import console
from streaming.producer import EventProducer, Record

IDLE_S = 0.2
BACKLOG_BATCH = 8
PREFERRED = 200  # most clicked notes of a scenario that a backlog is searched for
POPULAR_S = 10.0


class ModerationQueue:
    """The only one that takes notes off the queue; whatever kills it, what was not stored is judged again."""

    def __init__(
        self, config: Config, store: StoreBackend, producer: EventProducer, metrics: Metrics, judge: Judge
    ) -> None:
        self.config = config
        self.reader = store.catalogue()
        self.verdicts = store.verdicts()
        self.waiting = store.moderation_queue()
        self.clicks = store.click_counts()
        self.producer = producer
        self.metrics = metrics
        self.judge = judge
        self.pace = True  # the backlog leaves the model to others most of the time
        self.rest_until = 0.0  # nothing of the backlog before this moment
        self._popular: tuple[float, list[str]] = (0.0, [])

    def sweep(self) -> int:
        """Queue whatever has no verdict of this model and policy for its present text; how many."""
        count = 0
        for page in self.reader.scan():
            fresh, again = [], []
            for stored in page:
                verdict = stored.verdict
                if stored.item is None:
                    continue
                if verdict is not None and verdict.stands(self._key(stored.item.text), self.judge.versions):
                    continue
                (fresh if verdict is None else again).append(stored.item_id)
            self.waiting.enqueue(fresh, Urgency.BULK)
            self.waiting.enqueue(again, Urgency.AGAIN)
            count += len(fresh) + len(again)
        return count

    def run(self, stop: threading.Event, lost: threading.Event) -> None:
        """Until `stop`, or until the lease is `lost`: judge what waits; a model or store that is away is waited for."""
        away = False
        while not stop.is_set() and not lost.is_set():
            try:
                judged = self.step()
            except ModelAway as error:
                if not away:
                    console.print(f"the policy's word holds meanwhile, nothing is lost: {error}")
                away = True
                stop.wait(1.0)
            except StoreRefused:
                raise
            except (StoreUnreachable, KafkaException) as error:
                console.print(f"waiting for broker and store, nothing is lost: {error}")
                stop.wait(1.0)
            else:
                if away and judged:
                    away = False
                    console.print("the model answers again")
                if not judged:
                    stop.wait(IDLE_S)

    def step(self) -> int:
        """Judge the next batch; how many notes. Raises ModelAway after what the policy says then is stored."""
        started = time.monotonic()
        waiting = self._waiting()
        notes = list(self._notes(waiting))
        if not notes:
            return 0
        try:
            verdicts = self.judge.verdicts([note for _, note, _ in notes])
        except ModelAway:
            # What was judged before stays as it is: an older verdict says more than none.
            self._publish([(self.judge.unjudged(note), None) for _, note, before in notes if before is None])
            raise
        self._publish([(verdict, queued) for (queued, _, _), verdict in zip(notes, verdicts, strict=True)])
        if waiting[0].urgency is not Urgency.NOW and self.pace:
            share = self.config.llm.backlog_share
            self.rest_until = time.monotonic() + (time.monotonic() - started) * (1 / share - 1)
        return len(notes)

    def _waiting(self) -> list[Queued]:
        """A full batch of what is urgent; of the rest a small one, for what comes meanwhile waits behind it."""
        found = self.waiting.next(self.config.llm.batch, self._most_clicked())
        urgent = [queued for queued in found if queued.urgency is Urgency.NOW]
        if urgent or not self.pace:
            return urgent or found
        return found[:BACKLOG_BATCH] if time.monotonic() >= self.rest_until else []

    def _notes(self, waiting: list[Queued]) -> Iterator[tuple[Queued, Note, Verdict | None]]:
        for queued, stored in zip(waiting, self.reader.fetch([q.item_id for q in waiting]), strict=True):
            if stored.item is None:
                self.waiting.drop(queued.item_id)
                continue
            yield queued, Note(queued.item_id, stored.item.text, self._key(stored.item.text)), stored.verdict

    def _publish(self, found: list[tuple[Verdict, Queued | None]]) -> None:
        # The topic first: a kill in between writes the same verdict again, the other order would leave it out.
        topic = self.config.topic("verdicts")
        self.producer.send_all((Record(topic, v.item_id, encode(v)) for v, _ in found), timeout_s=30)
        for verdict, queued in found:
            outcome = verdict.outcome if self.verdicts.put(verdict, queued) else "overruled"
            self.metrics.count("rayapp_verdicts_total", decision=verdict.decision.value, outcome=outcome)

    def _key(self, text: str) -> str:
        return text_key("", text)

    def _most_clicked(self) -> list[str]:
        at, ids = self._popular
        if time.monotonic() - at > POPULAR_S:
            ids = self.clicks.most_clicked(self.config.scenarios, PREFERRED)
            self._popular = (time.monotonic(), ids)
        return ids
