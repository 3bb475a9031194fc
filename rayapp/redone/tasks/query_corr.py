"""Note-QueryCorr: whether a note answers a query (explain), and how closely (topic, -1 to 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Choice, Task, chosen
from rayapp.redone.tasks.texts import overlap

YES_NO = ("Yes", "No")
UNPARSED = "?"


class QueryCorrExplain(Choice):
    name, family, max_tokens = "query_corr_explain", "query_corr", 4

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Yes if the note has more of the query's words than a threshold fitted on the training split."""
        scores = np.array([overlap(e.query, e.note) for e in train] or [0.0])
        truths = np.array([e.answer == YES_NO[0] for e in train] or [False])
        cuts = np.linspace(0, 1, 21)
        best = max(cuts, key=lambda cut: float(((scores >= cut) == truths).mean()))
        return [YES_NO[0] if overlap(e.query, e.note) >= best else YES_NO[1] for e in tests]


class QueryCorrTopic(Task):
    """Macro-F1 over the grades that occur, times the share of parsable answers."""

    name, family, metric, max_tokens = "query_corr_topic", "query_corr", "macro-F1 x parsable", 4

    def judge(self, answer: str, example: Example) -> Any:
        return chosen(answer, example.options) or UNPARSED, example.answer

    def score(self, judged: Sequence[Any]) -> float:
        predicted, truths = [j[0] for j in judged], [j[1] for j in judged]
        grades = sorted(set(truths))
        parsable = sum(label != UNPARSED for label in predicted) / max(1, len(predicted))
        return 100 * parsable * float(f1_score(truths, predicted, labels=grades, average="macro", zero_division=0))

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The grade whose training examples share about as many words."""
        by_grade: dict[str, list[float]] = {}
        for example in train:
            by_grade.setdefault(example.answer, []).append(overlap(example.query, example.note))
        middle = {grade: float(np.mean(values)) for grade, values in by_grade.items()}
        if not middle:
            return super().lexical(train, tests)
        return [min(middle, key=lambda g: abs(middle[g] - overlap(e.query, e.note))) for e in tests]


def correlates(query: str, note: str, yes: bool, source: str) -> Example:
    instruction = "Does the note answer the query? Answer Yes or No."
    question = f"{instruction}\nQuery: {one_line(query)}\nNote: {one_line(note)}"
    return Example(QueryCorrExplain.name, question, YES_NO[not yes], YES_NO, note, one_line(query), source, instruction)


def correlation(query: str, note: str, grade: int, *, grades: Sequence[int], source: str) -> Example:
    """`grades`: the possible grades, lowest first."""
    instruction = (
        f"How closely does the note match the query? Grades: {', '.join(map(str, grades))}; {grades[-1]} is a perfect "
        f"match, {grades[0]} none."
    )
    question = f"{instruction}\nQuery: {one_line(query)}\nNote: {one_line(note)}"
    options = tuple(map(str, grades))
    return Example(QueryCorrTopic.name, question, str(grade), options, note, one_line(query), source, instruction)
