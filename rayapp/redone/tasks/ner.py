"""Note-NER: the entities of one type in a note."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.texts import EMPTY, listed, micro_f1, set_counts


class Ner(Task):
    """Micro-F1 of entities, case-insensitive."""

    name, family, metric, max_tokens = "ner", "ner", "micro-F1", 48

    def judge(self, answer: str, example: Example) -> Any:
        return set_counts(listed(answer) or [], listed(example.answer) or [])

    def score(self, judged: Sequence[Any]) -> float:
        return 100 * micro_f1(judged)

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Always []."""
        return [EMPTY] * len(tests)

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Entities of this type in the training split that occur in the note."""
        known: dict[str, Counter[str]] = {}
        for example in train:
            known.setdefault(example.query, Counter()).update(listed(example.answer) or [])
        answers = []
        for example in tests:
            names = known.get(example.query, Counter())
            inside = [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", example.note)]
            answers.append("; ".join(inside) or EMPTY)
        return answers


def ner(note: str, kind: str, entities: Sequence[str], source: str) -> Example:
    """`kind`: in the plural, as it is asked for."""
    question = f"List the {kind} named in the note, or write {EMPTY}.\nNote: {one_line(note)}"
    answer = "; ".join(dict.fromkeys(map(one_line, entities))) or EMPTY
    return Example(Ner.name, question, answer, note=note, query=kind, source=source)
