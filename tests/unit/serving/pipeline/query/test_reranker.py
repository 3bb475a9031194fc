"""In time the model's order, otherwise the order that was there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from transformers import AutoTokenizer

from rayapp.config import Config, Llm, Search
from rayapp.llm.completions import ModelAway
from rayapp.llm.language_model import LanguageModel
from rayapp.serving.llm.client import LlmClient
from rayapp.serving.pipeline.query.reranker import Reranker


class Scripted:
    """The last note is the most relevant one."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.away = False

    def choose(self, prompts: Sequence[list[int]], allowed: Sequence[int]) -> list[dict[int, float]]:
        assert self.go.wait(20)
        if self.away:
            raise ModelAway("scripted")
        return [{allowed[0]: float(n), allowed[1]: 0.0} for n in range(len(prompts))]

    def write(self, prompt: list[int], form: str, max_tokens: int) -> str:
        raise AssertionError("one prefill, nothing written")


@pytest.mark.parametrize(
    ("late", "away", "order"),
    [(False, False, ["c", "b", "a", "d"]), (True, False, ["a", "b", "c", "d"]), (False, True, ["a", "b", "c", "d"])],
)
async def test_the_first_results_are_put_in_order_in_time_or_not_at_all(
    language_model: Path, late: bool, away: bool, order: list[str]
) -> None:
    model = Scripted()
    model.away = away
    config = msgspec.structs.replace(Config(), search=Search(rerank=3, rerank_ms=50 if late else 20_000))
    served = LlmClient(config)
    served.opened = LanguageModel(AutoTokenizer.from_pretrained(language_model), "m@1", model)
    if not late:
        model.go.set()
    assert await Reranker(config, served)("tea", ["a", "b", "c", "d"], ["x", "y", "z"]) == order
    model.go.set()


def test_it_is_off_unless_it_is_asked_for() -> None:
    served = LlmClient(Config())
    assert not Reranker(Config(), served).enabled
    assert Reranker(Config(search=Search(rerank=5)), served).enabled
    assert not Reranker(Config(search=Search(rerank=5), llm=Llm(enabled=False)), served).enabled
