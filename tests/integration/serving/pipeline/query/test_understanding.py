"""The deadline, the cache and the fallback, with a real store; how long the model takes is scripted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis
from transformers import AutoTokenizer

from rayapp.config import Config, Llm, Search
from rayapp.llm.completions import ModelAway
from rayapp.llm.language_model import LanguageModel
from rayapp.metrics import Metrics
from rayapp.search.understanding import Understanding
from rayapp.serving.llm.client import LlmClient
from rayapp.serving.pipeline.query.understanding import QueryUnderstanding
from rayapp.serving.pipeline.query.understood import Understood
from rayapp.stores.open import open_async_store

ANSWER = "spelling: running shoes\nintent: transactional\nsimilar: sneakers; moon landing\n"


class Scripted:
    """Answers when it is let go; `away` fails instead."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.away = False
        self.asked = 0

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        raise AssertionError("understanding is written")

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        self.asked += 1
        assert self.go.wait(20)
        if self.away:
            raise ModelAway("scripted")
        return ANSWER


async def encode(texts: list[str]) -> np.ndarray:
    """What is about the moon is far from everything else."""
    return np.array([[0.0, 1.0] if "moon" in text else [1.0, 0.0] for text in texts])


@pytest.fixture
def model() -> Scripted:
    return Scripted()


@pytest.fixture
async def understanding(
    store: redis.Redis, server_config: Config, language_model: Path, model: Scripted
) -> AsyncIterator[QueryUnderstanding]:
    config = msgspec.structs.replace(server_config, search=Search(deadline_ms=100))
    served = LlmClient(config)
    served.opened = LanguageModel(AutoTokenizer.from_pretrained(language_model), "m@1", model)
    opened = open_async_store(config.store_url)
    yield QueryUnderstanding(config, served, store=opened.cache("understanding"), encode=encode, metrics=Metrics())
    model.go.set()
    await opened.close()


async def settled(understanding: QueryUnderstanding) -> None:
    await asyncio.gather(*understanding.under_way.values())


async def test_an_answer_in_time_is_used_and_the_next_one_is_cached(
    understanding: QueryUnderstanding, model: Scripted
) -> None:
    model.go.set()
    understanding.config = msgspec.structs.replace(understanding.config, search=Search(deadline_ms=20_000))
    first = await understanding("runing shoes")
    assert (first.source, first.cached) == ("redone", False)
    assert first.what.spelling == "running shoes"
    assert first.what.expansions == ("sneakers",)  # the moon is far away
    second = await understanding("  Runing SHOES ")
    assert (second.source, second.cached, second.what) == ("redone", True, first.what)
    assert model.asked == 1


async def test_a_late_answer_is_not_waited_for_and_fills_the_cache(
    understanding: QueryUnderstanding, model: Scripted
) -> None:
    started = time.monotonic()
    answers = await asyncio.gather(*(understanding("runing shoes") for _ in range(5)))
    assert time.monotonic() - started < 5
    assert {a.source for a in answers} == {"none"}
    assert answers[0] == Understood()
    model.go.set()
    await settled(understanding)
    known = await understanding("runing shoes")
    assert known == Understood(Understanding("transactional", "running shoes", ("sneakers",)), "redone", True)
    assert model.asked == 1, "one query under way is asked once"


async def test_where_answers_always_come_late_nobody_waits(understanding: QueryUnderstanding, model: Scripted) -> None:
    understanding.usual_s = 2.0
    task = asyncio.ensure_future(understanding("tea"))
    done, _ = await asyncio.wait([task], timeout=20)
    assert done
    assert task.result().source == "none"
    assert not model.go.is_set()
    model.go.set()
    await settled(understanding)
    assert understanding.usual_s < 2.0, "quick answers are waited for again"


async def test_a_model_that_is_away_is_asked_again(understanding: QueryUnderstanding, model: Scripted) -> None:
    model.away = True
    model.go.set()
    assert (await understanding("tea")).source == "none"
    await settled(understanding)
    model.away = False
    await understanding("tea")
    await settled(understanding)
    assert (await understanding("tea")).cached


async def test_another_model_and_another_query_are_not_in_the_cache(
    understanding: QueryUnderstanding, model: Scripted
) -> None:
    model.go.set()
    await understanding("tea")
    await settled(understanding)
    assert understanding.model.opened is not None
    understanding.model.opened = understanding.model.opened._replace(version="m@2")
    assert not (await understanding("tea")).cached
    await settled(understanding)
    assert model.asked == 2


async def test_without_a_language_model_nobody_asks(
    server_config: Config, store: redis.Redis, understanding: QueryUnderstanding, model: Scripted
) -> None:
    understanding.config = msgspec.structs.replace(server_config, llm=Llm(enabled=False))
    assert (await understanding("tea")).source == "none"
    assert model.asked == 0


@pytest.mark.parametrize("known", [b"not json", b"\xff", b"5", b'{"intent": 3}'])
async def test_an_unreadable_answer_of_the_cache_is_replaced(
    understanding: QueryUnderstanding, model: Scripted, known: bytes
) -> None:
    await understanding.store.put(understanding._key("runing shoes"), known, ttl_s=60)
    understanding.config = msgspec.structs.replace(understanding.config, search=Search(deadline_ms=20_000))
    model.go.set()
    assert not (await understanding("runing shoes")).cached
    assert (await understanding("runing shoes")).cached
