"""What a task is: how an answer is read, what it is worth, and what needs no model to reach."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.texts import overlap

ENOUGH = 50  # examples to learn a classifier from


class Task(ABC):
    """One sub-task. Scores are 0 to 100, as the benchmark prints them (SNS-Bench; RedOne, section 4)."""

    name: ClassVar[str]
    family: ClassVar[str]
    metric: ClassVar[str]
    max_tokens: ClassVar[int] = 24

    @abstractmethod
    def judge(self, answer: str, example: Example) -> Any:
        """What one answer is worth: all that `score` needs of it, dear to make and cheap to add up."""

    @abstractmethod
    def score(self, judged: Sequence[Any]) -> float:
        """Of a whole set of answers; cheap, because the bootstrap calls it many times."""

    def reward(self, answer: str, example: Example) -> float:
        """0 to 1, of one answer by itself; 1 where it is the example's own, also where the metric of a single answer
        says nothing (no answer to a question that has none)."""
        if example.answer and answer.strip() == example.answer:
            return 1.0
        return self.score([self.judge(answer, example)]) / 100

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Answers that ignore the question: always the commonest one of the training split."""
        return [commonest(train or tests)] * len(tests)

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Answers of a simple method that reads words only: the option that shares most words with the note."""
        fallback = self.trivial(train, tests)
        return [
            max(example.options, key=lambda o: overlap(o, example.note)) if example.options else other
            for example, other in zip(tests, fallback, strict=True)
        ]


class Choice(Task):
    """One of the example's options; accuracy over all questions, unparsable answers are wrong."""

    metric = "accuracy"

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Where all of a kind have the same options: TF-IDF and logistic regression; else words shared with the note."""
        answers = super().lexical(train, tests)
        for kind in {_kind(example) for example in tests}:
            known = [example for example in train if _kind(example) == kind]
            places = [n for n, example in enumerate(tests) if _kind(example) == kind]
            if len(known) >= ENOUGH and len({example.answer for example in known}) > 1:
                for n, answer in zip(places, _classified(known, [tests[n] for n in places]), strict=True):
                    answers[n] = answer
        return answers

    def judge(self, answer: str, example: Example) -> Any:
        if not example.options:  # an official file that names no candidates
            return float(_plain(answer) == _plain(example.answer))
        return float(chosen(answer, example.options) == example.answer)

    def score(self, judged: Sequence[Any]) -> float:
        return 100.0 * float(np.mean(judged)) if len(judged) else 0.0


def _kind(example: Example) -> tuple[str, str, frozenset[str]]:
    return example.source, example.instruction, frozenset(example.options)


def _classified(known: Sequence[Example], tests: Sequence[Example]) -> list[str]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=4, max_iter=500))
    model.fit([example.note for example in known], [example.answer for example in known])
    return [str(answer) for answer in model.predict([example.note for example in tests])]


def chosen(answer: str, options: Sequence[str]) -> str | None:
    """The option that the answer names: as the whole answer, at its start, or as the only one in it."""
    text = _plain(answer)
    folded = {option.casefold(): option for option in options}
    if text in folded:
        return folded[text]
    starts = [o for o in folded if text.startswith(o) and not text[len(o) : len(o) + 1].isalnum()]
    if starts:
        return folded[max(starts, key=len)]
    inside = [o for o in folded if o in text]
    longest = [o for o in inside if not any(o != other and o in other for other in inside)]
    return folded[longest[0]] if len(longest) == 1 else None


def _plain(text: str) -> str:
    return text.strip().strip(".\"'*`").casefold()


def commonest(examples: Sequence[Example]) -> str:
    return Counter(example.answer for example in examples).most_common(1)[0][0] if examples else ""
