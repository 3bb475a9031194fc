"""Note-CHLW: which of the candidate words of a comment are worth highlighting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.texts import EMPTY, listed, micro_f1, set_counts, words


class Chlw(Task):
    """Micro-F1 of words, times the share of parsable answers."""

    name, family, metric, max_tokens = "chlw", "chlw", "micro-F1 x parsable", 48

    def judge(self, answer: str, example: Example) -> Any:
        predicted = listed(answer)
        return (*set_counts(predicted or [], listed(example.answer) or []), float(predicted is not None))

    def score(self, judged: Sequence[Any]) -> float:
        if not judged:
            return 0.0
        return 100 * micro_f1([j[:3] for j in judged]) * sum(j[3] for j in judged) / len(judged)

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Always []."""
        return [EMPTY] * len(tests)

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The candidates that occur more than once in the comment; else the longest one."""
        answers = []
        for example in tests:
            note_words, candidates = words(example.note), listed(example.query) or [""]
            often = [c for c in candidates if words(c) and min(note_words.count(w) for w in words(c)) > 1]
            answers.append("; ".join(often) or max(candidates, key=len))
        return answers


def chlw(comment: str, candidates: Sequence[str], highlights: Sequence[str], source: str) -> Example:
    instruction = f"Which of the words should be highlighted in the comment? Name them, or write {EMPTY}."
    question = f"{instruction}\nComment: {one_line(comment)}\nWords: {'; '.join(candidates)}"
    answer = "; ".join(word for word in candidates if word in highlights) or EMPTY
    return Example(Chlw.name, question, answer, (), comment, "; ".join(candidates), source, instruction)
