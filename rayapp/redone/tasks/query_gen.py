"""Note-QueryGen: a query that a reader of the note would search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.texts import anls, sentences


class QueryGen(Task):
    """Mean of the cosine of sentence embeddings and of ANLS."""

    name, family, metric, max_tokens = "query_gen", "query_gen", "mean of cosine and ANLS", 32

    def judge(self, answer: str, example: Example) -> Any:
        line = answer.strip().splitlines()[0] if answer.strip() else ""
        predicted_vector, reference_vector = _encoder()([line or "-", example.answer])
        return max(0.0, float(predicted_vector @ reference_vector)) if line else 0.0, anls(line, example.answer)

    def score(self, judged: Sequence[Any]) -> float:
        return 100 * float(np.mean(judged)) if len(judged) else 0.0

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The note's first sentence."""
        return [next(iter(sentences(example.note)), "")[:80] for example in tests]


def query_gen(note: str, query: str, source: str) -> Example:
    instruction = "Write the query that a reader of this note would search."
    question = f"{instruction}\nNote: {one_line(note)}"
    return Example(QueryGen.name, question, one_line(query), note=note, source=source, instruction=instruction)


@cache
def _encoder() -> Callable[[list[str]], np.ndarray]:
    from rayapp.content.text_encoder import TextEncoder

    return TextEncoder().encode
