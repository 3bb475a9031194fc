"""The queue worked off against a real store and broker; the model's words are scripted, its absence too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from transformers import AutoTokenizer

from rayapp.config import Config
from rayapp.domain import Decision, Item, Verdict, text_key
from rayapp.llm.completions import Completions, ModelAway
from rayapp.llm.work_queue import WorkQueue
from rayapp.metrics import Metrics
from rayapp.moderation.calibration import Weights
from rayapp.moderation.judge import Judge
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.note_worker import BACKLOG_BATCH, NoteWorker, WaitingNote
from rayapp.moderation.policy import load_policy
from rayapp.moderation.verdict_log import VerdictLog
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Urgency
from streaming.producer import EventProducer
from streaming.reading import consumer_for, watermarks
from tests.scripted_classifier import FAST, Scripted, calibrated

POLICY = load_policy()
Queue = WorkQueue[WaitingNote]
# Nothing is clear to it but one word: what a queue does with the language model is tried here.
CLASSIFIER = Scripted({"": {"hate": 0.35, "violence": 0.35}, "clearly": {"hate": 0.01, "violence": 0.01}})


class ScriptedModel(Completions):
    """Finds hate in every prompt that holds the word; `away` makes it fail."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.away = False
        self.asked: list[str] = []

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        if self.away:
            raise ModelAway("scripted")
        texts = [self.tokenizer.decode(prompt).partition("<<<")[2].partition(">>>")[0].strip() for prompt in prompts]
        self.asked += texts
        return [{token: 0.0 if n == ("abuse" in text) else -9.0 for n, token in enumerate(allowed)} for text in texts]


@pytest.fixture
def worker(backend: StoreBackend, stream: Config, language_model: Path) -> NoteWorker:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    stage = LlmStage(Moderation(tokenizer, POLICY), ScriptedModel(tokenizer), "m@1")
    weighed = {name: Weights(1.0, 1.0, 0.0) for name in POLICY.categories}
    known = msgspec.structs.replace(calibrated(POLICY, "m@1"), weights=weighed)
    judge = Judge(POLICY, CLASSIFIER, stage, known)
    log = VerdictLog(EventProducer(stream.broker), stream.topic("verdicts"), backend.verdicts())
    return NoteWorker(backend, log, judge, Metrics(), scenarios=stream.scenarios, batch=32)


@pytest.fixture
def queue(worker: NoteWorker) -> Queue:
    return WorkQueue(worker, share=0.25, say=print)


def put(backend: StoreBackend, urgency: Urgency | None, **texts: str) -> None:
    items = [Item(item_id=i, title=text) for i, text in texts.items()]
    backend.catalogue_store().put(
        items, np.ones((len(items), 4)), dict.fromkeys(texts, urgency) if urgency is not None else None
    )


def decisions(backend: StoreBackend, *ids: str) -> list[Decision | None]:
    return [v and v.decision for v in backend.verdicts().get(list(ids))]


def written(config: Config) -> int:
    consumer = consumer_for(config.broker)
    try:
        return sum(high for _, high in watermarks(consumer, config.topic("verdicts")).values())
    finally:
        consumer.close()


def test_each_note_is_judged_once(queue: Queue, worker: NoteWorker, backend: StoreBackend, stream: Config) -> None:
    put(backend, Urgency.NOW, kind="a walk", bad="abuse of somebody")
    assert queue.step() == 2
    assert queue.step() == 0
    assert decisions(backend, "kind", "bad") == [Decision.ALLOW, Decision.BLOCK]
    (verdict,) = backend.verdicts().get(["bad"])
    assert verdict is not None
    assert sum(verdict.labels.values()) == pytest.approx(1, abs=1e-5)
    assert (verdict.model_version, verdict.policy_version) == (f"{FAST}+m@1", worker.judge.policy_version)
    assert written(stream) == 2
    assert worker.sweep() == 0


def test_while_the_model_is_away_the_policy_holds_and_nothing_is_lost(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    put(backend, Urgency.NOW, one="a walk")
    worker.judge.llm.chooser.away = True  # type: ignore[union-attr]
    for _ in range(3):
        with pytest.raises(ModelAway):
            queue.step()
    assert decisions(backend, "one") == [POLICY.on_failure]
    worker.judge.llm.chooser.away = False  # type: ignore[union-attr]
    assert queue.step() == 1
    assert decisions(backend, "one") == [Decision.ALLOW]
    assert worker.queue.waiting() == 0
    assert worker.judge.llm.chooser.asked == ["a walk"]  # type: ignore[union-attr]


def test_an_older_verdict_holds_while_the_model_is_away(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    put(backend, Urgency.NOW, one="abuse")
    queue.step()
    put(backend, Urgency.NOW, one="better now")
    worker.judge.llm.chooser.away = True  # type: ignore[union-attr]
    with pytest.raises(ModelAway):
        queue.step()
    assert decisions(backend, "one") == [Decision.BLOCK]


def test_the_sweep_finds_what_was_never_judged_or_by_others(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    put(backend, None, bulk="a", old="b", person="c", changed="d")
    verdicts = backend.verdicts()
    keys = {i: text_key(t) for i, t in {"old": "b", "person": "c", "changed": "x"}.items()}
    versions = {"model_version": f"{FAST}+m@1", "policy_version": worker.judge.policy_version}
    verdicts.put(Verdict("old", Decision.ALLOW, "judged", 1, text_key=keys["old"], model_version="m@0"))
    verdicts.put(Verdict("person", Decision.BLOCK, "person", 1, text_key=keys["person"]))
    verdicts.put(Verdict("changed", Decision.ALLOW, "judged", 1, text_key=keys["changed"], **versions))
    assert worker.sweep() == 3
    assert {q.item_id: q.urgency for q in worker.queue.next(10)} == {"old": Urgency.AGAIN, "changed": Urgency.AGAIN}
    assert queue.step() == 2
    assert {q.item_id: q.urgency for q in worker.queue.next(10)} == {"bulk": Urgency.BULK}
    assert queue.step() == 1
    assert {q.urgency for q in worker.queue.next(10)} == {Urgency.OPEN}
    assert queue.step() == 3
    assert worker.sweep() == 0


def test_while_the_backlog_rests_a_new_note_is_judged_at_once(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    queue.share = 1e-6
    put(backend, Urgency.BULK, **{f"b{n}": f"text {n}" for n in range(BACKLOG_BATCH + 5)})
    assert queue.step() == BACKLOG_BATCH + 5, "the classifier reads all at once"
    assert queue.step() == BACKLOG_BATCH
    assert queue.step() == 0, "it rests"
    put(backend, Urgency.NOW, new="e")
    assert queue.step() == 1
    assert decisions(backend, "new") == [Decision.ALLOW]
    assert queue.step() == 0
    queue.paced = False
    assert queue.step() == 5


def test_a_new_policy_judges_everything_again_and_a_report_one_note(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    put(backend, Urgency.NOW, one="a", two="b")
    queue.step()
    backend.moderation_queue().enqueue(["two", "unknown"], Urgency.NOW)  # as the history writer does for a report
    assert queue.step() == 1
    assert worker.judge.llm.chooser.asked == ["a", "b", "b"]  # type: ignore[union-attr]
    assert worker.queue.waiting() == 0
    worker.judge.rules.policy = msgspec.structs.replace(POLICY, max_tokens=100)
    assert worker.sweep() == 2


def test_a_loaded_catalogue_is_judged_by_the_classifier_before_the_language_model_has_its_turn(
    queue: Queue, worker: NoteWorker, backend: StoreBackend
) -> None:
    put(backend, Urgency.BULK, clear="clearly a walk", unclear="perhaps abuse")
    assert worker.queue.waiting(Urgency.BULK) == 2
    assert queue.step() == 2
    assert worker.queue.waiting(Urgency.BULK) == 0
    assert worker.judge.llm.chooser.asked == []  # type: ignore[union-attr]
    assert decisions(backend, "clear", "unclear") == [Decision.ALLOW, Decision.ALLOW]
    assert worker.queue.waiting() == 1
    assert queue.step() == 1
    assert decisions(backend, "clear", "unclear") == [Decision.ALLOW, Decision.BLOCK]
    clear, unclear = backend.verdicts().get(["clear", "unclear"])
    assert (clear and clear.stage, unclear and unclear.stage) == ("fast", "llm")


def test_what_is_queued_again_meanwhile_keeps_its_place(worker: NoteWorker, backend: StoreBackend) -> None:
    put(backend, Urgency.BULK, one="a text")
    (before,) = worker.queue.next(1)
    backend.moderation_queue().enqueue(["one"], Urgency.NOW)
    worker.queue.postpone([before])
    assert worker.queue.next(1)[0].urgency is Urgency.NOW
