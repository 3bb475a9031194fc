"""The queue worked off against a real store; the model's words are scripted, its absence too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from rayapp.config import Config
from rayapp.domain import Decision, Item, Verdict, text_key
from rayapp.llm.completions import ModelAway
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.work_queue import WorkQueue
from rayapp.moderation.judge import Judge
from rayapp.moderation.policy import load_policy
from rayapp.search.post_view_worker import PostViewWorker
from rayapp.stores.backend import StoreBackend
from rayapp.stores.open import open_async_store
from rayapp.stores.records import Urgency, Wanted
from tests.scripted_classifier import Scripted as Classifier
from tests.scripted_classifier import calibrated

POLICY = load_policy()
Queue = WorkQueue[Wanted]


class Scripted:
    """Writes three queries, one of them abuse."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.away = False
        self.written = 0

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        raise AssertionError("nobody asks")

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        if self.away:
            raise ModelAway("scripted")
        self.written += 1
        return " green tea; an abuse; Tea GREEN; tea pots\n"


@pytest.fixture
def worker(backend: StoreBackend, language_model: Path) -> PostViewWorker:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    answers = Scripted(tokenizer)
    judge = Judge(POLICY, Classifier({"abuse": {"hate": 0.95}}), None, calibrated(POLICY))
    return PostViewWorker(backend, LanguageModel(tokenizer, "m@1", answers), judge)


@pytest.fixture
def queue(worker: PostViewWorker) -> Queue:
    return WorkQueue(worker, share=1.0, say=print)


def put(backend: StoreBackend, urgency: Urgency, **texts: str) -> None:
    items = [Item(item_id=i, title=text) for i, text in texts.items()]
    backend.catalogue_store().put(items, np.ones((len(items), 4)), dict.fromkeys(texts, urgency))


def judge_all(backend: StoreBackend, decision: Decision, *ids: str) -> None:
    verdicts, waiting = backend.verdicts(), backend.moderation_queue()
    for item_id in ids:
        told = Verdict(item_id=item_id, decision=decision, outcome="judged", at_ms=1)
        verdicts.put(told, waiting.entry(item_id))


async def request(config: Config, item_id: str) -> None:
    """What the HTTP API does for a note that has no queries yet."""
    requests = open_async_store(config.store_url)
    assert await requests.post_views().get(item_id, "a text") is None
    await requests.close()


def test_queries_are_written_filtered_and_kept(backend: StoreBackend, queue: Queue) -> None:
    put(backend, Urgency.NOW, a="About tea")
    judge_all(backend, Decision.ALLOW, "a")
    assert queue.step()
    made = backend.post_views().get("a")
    assert made is not None
    assert made.queries == ("green tea", "tea pots")
    assert (made.text_key, made.model_version) == (text_key("About tea"), "m@1")
    assert not queue.step()


def test_new_notes_are_judged_before_anybody_writes_for_what_nobody_asked(
    backend: StoreBackend, queue: Queue, server_config: Config
) -> None:
    put(backend, Urgency.NOW, a="About tea")
    assert not queue.step()
    asyncio.run(request(server_config, "a"))
    assert queue.step()


def test_nothing_is_written_for_what_nobody_sees(backend: StoreBackend, queue: Queue, worker: PostViewWorker) -> None:
    put(backend, Urgency.NOW, blocked="About tea", gone="About cups")
    judge_all(backend, Decision.BLOCK, "blocked", "gone")
    backend.catalogue_store().delete("gone")
    while queue.step():
        pass
    assert backend.post_views().get("blocked") is None
    assert worker.model.answers.written == 0  # type: ignore[attr-defined]
    assert backend.post_views().waiting() == 0


def test_while_the_model_is_away_notes_stay_in_the_queue(
    backend: StoreBackend, queue: Queue, worker: PostViewWorker
) -> None:
    put(backend, Urgency.NOW, a="About tea")
    judge_all(backend, Decision.ALLOW, "a")
    worker.model.answers.away = True  # type: ignore[attr-defined]
    with pytest.raises(ModelAway):
        queue.step()
    worker.model.answers.away = False  # type: ignore[attr-defined]
    assert queue.step()
    assert backend.post_views().get("a") is not None
