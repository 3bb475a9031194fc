"""The moderation queue's worker: notes that wait are judged, their verdicts published and counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from rayapp.domain import Verdict
from rayapp.llm.completions import ModelAway
from rayapp.llm.work_queue import Allowance, Batch
from rayapp.metrics import Metrics
from rayapp.moderation.judge import Judge, Note
from rayapp.moderation.verdict_log import Judged, VerdictLog
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Queued, Urgency

BACKLOG_BATCH = 8
PREFERRED = 200  # most clicked notes of a scenario that a backlog is searched for
POPULAR_S = 10.0
ASKED = (Urgency.NOW, Urgency.OPEN)


class WaitingNote(NamedTuple):
    """A note in the queue, with the verdict that holds until it is judged."""

    queued: Queued
    note: Note
    before: Verdict | None


class NoteWorker:
    """The only consumer of the moderation queue."""

    name = "moderation"

    def __init__(
        self,
        store: StoreBackend,
        log: VerdictLog,
        judge: Judge,
        metrics: Metrics,
        *,
        scenarios: tuple[str, ...],
        batch: int,
    ) -> None:
        """`scenarios`: those whose most clicked notes come first in a backlog. `batch`: notes at a time."""
        self.reader = store.catalogue()
        self.queue = store.moderation_queue()
        self.clicks = store.click_counts()
        self.log = log
        self.judge = judge
        self.metrics = metrics
        self.scenarios = scenarios
        self.batch = batch
        self._popular: tuple[float, list[str]] = (0.0, [])

    def sweep(self) -> int:
        """Queue every note without a verdict of this model and policy for its present text. Returns how many."""
        count = 0
        for page in self.reader.scan():
            fresh: list[str] = []
            again: list[str] = []
            for stored in page:
                verdict = stored.verdict
                if stored.item is None:
                    continue
                if verdict is not None and verdict.stands(stored.item.text_key, self.judge.versions):
                    continue
                (fresh if verdict is None else again).append(stored.item_id)
            self.queue.enqueue(fresh, Urgency.BULK)
            self.queue.enqueue(again, Urgency.AGAIN)
            count += len(fresh) + len(again)
        return count

    def claim(self, allowed: Allowance) -> Batch[WaitingNote] | None:
        """A full batch of urgent notes, or of those that the classifier has not seen; of the open ones as many as
        allowed."""
        entries = self.queue.next(self.batch, self._most_clicked())
        urgency = entries[0].urgency if entries else Urgency.NOW
        if urgency is Urgency.OPEN and allowed is not Allowance.ALL:
            entries = entries[:BACKLOG_BATCH] if allowed is Allowance.LITTLE else []
        notes = list(self._notes(entries))
        return Batch(notes, urgency is Urgency.NOW, urgency in ASKED) if notes else None

    def work(self, batch: Batch[WaitingNote]) -> int:
        """Judge and publish: at once what the classifier decides, then what the language model was asked about. While
        that is away the policy's fallback is published for notes without a verdict; they stay queued. Raises ModelAway
        after that.

        Of what nobody waits for, the classifier's word holds until the language model has its turn.
        """
        looks = self.judge.look([waiting.note for waiting in batch.work])
        pairs = list(zip(looks, batch.work, strict=True))
        self._publish([Judged(self.judge.verdict(look), w.queued) for look, w in pairs if not look.open])
        still_open = [(look, w) for look, w in pairs if look.open]
        if not batch.asks:
            self._publish([Judged(self.judge.verdict(look)) for look, _ in still_open])
            self.queue.postpone([w.queued for _, w in still_open])
            return len(batch.work)
        try:
            verdicts = self.judge.conclude([look for look, _ in still_open])
        except ModelAway:
            # An older verdict stays as it is: it says more than none.
            self._publish([Judged(self.judge.unjudged(w.note, look)) for look, w in still_open if w.before is None])
            raise
        self._publish([Judged(v, w.queued) for v, (_, w) in zip(verdicts, still_open, strict=True)])
        return len(batch.work)

    def give_up(self, entry: WaitingNote, error: Exception) -> None:
        """The policy's fallback holds; the note is queued again when it changes, is reported, or the moderator
        restarts. It leaves the queue first: where its verdict cannot be published either, the others go on."""
        self.queue.drop(entry.queued.item_id)
        self.metrics.count("rayapp_verdicts_total", decision="none", outcome="given_up")
        if entry.before is None:
            self._publish([Judged(self.judge.unjudged(entry.note))])

    def _notes(self, entries: list[Queued]) -> Iterator[WaitingNote]:
        for queued, stored in zip(entries, self.reader.fetch([q.item_id for q in entries]), strict=True):
            if stored.item is None:
                self.queue.drop(queued.item_id)
                continue
            yield WaitingNote(queued, Note.of(stored.item), stored.verdict)

    def _publish(self, judged: list[Judged]) -> None:
        for (verdict, _), stored in zip(judged, self.log.append(judged), strict=True):
            outcome = verdict.outcome if stored else "overruled"
            self.metrics.count("rayapp_verdicts_total", decision=verdict.decision.value, outcome=outcome)

    def _most_clicked(self) -> list[str]:
        at, ids = self._popular
        if time.monotonic() - at > POPULAR_S:
            ids = self.clicks.most_clicked(self.scenarios, PREFERRED)
            self._popular = (time.monotonic(), ids)
        return ids
