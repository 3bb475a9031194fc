"""Note-Hashtag: which of the candidate tags a note's author gave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Choice, Task
from rayapp.redone.tasks.texts import EMPTY, listed, micro_f1, overlap, set_counts


class HashtagSingle(Choice):
    name, family = "hashtag_single", "hashtag"


class HashtagMultiple(Task):
    """Micro-F1 of the set of tags."""

    name, family, metric, max_tokens = "hashtag_multiple", "hashtag", "micro-F1", 48

    def judge(self, answer: str, example: Example) -> Any:
        predicted = [tag.lstrip("#") for tag in listed(answer) or []]
        return set_counts(predicted, [tag.lstrip("#") for tag in listed(example.answer) or []])

    def score(self, judged: Sequence[Any]) -> float:
        return 100 * micro_f1(judged)

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """All candidates."""
        return ["; ".join(_candidates(example)) for example in tests]

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The candidates that share letters with the note, or the first one."""
        answers = []
        for example in tests:
            squeezed = "".join(example.note.casefold().split())
            tags = [tag for tag in _candidates(example) if tag.casefold() in squeezed or overlap(tag, example.note)]
            answers.append("; ".join(tags) or _candidates(example)[0])
        return answers


def hashtag(note: str, tags: Sequence[str], true_tags: Sequence[str], source: str) -> Example:
    """`tags`: the candidates in the order shown; `true_tags`: the author's, at least one."""
    text, shown = one_line(note), ", ".join(tags)
    if len(true_tags) == 1:
        question = f"Which hashtag did the author give this note? Hashtags: {shown}.\nNote: {text}"
        return Example(HashtagSingle.name, question, true_tags[0], tuple(tags), note=note, source=source)
    question = f"Which hashtags did the author give this note? Name all that fit. Hashtags: {shown}.\nNote: {text}"
    answer = "; ".join(tag for tag in tags if tag in true_tags) or EMPTY
    return Example(HashtagMultiple.name, question, answer, note=note, query=shown, source=source)


def _candidates(example: Example) -> list[str]:
    return listed(example.query) or [""]
