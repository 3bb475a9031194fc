"""A task: parsing and scoring of answers, and baselines that need no model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.texts import overlap

ENOUGH = 50  # minimum number of examples to train a classifier


class Task(ABC):
    """One sub-task. Scores are 0 to 100, as the benchmark prints them (SNS-Bench; RedOne, section 4)."""

    name: ClassVar[str]
    family: ClassVar[str]
    metric: ClassVar[str]
    max_tokens: ClassVar[int] = 24

    @abstractmethod
    def judge(self, answer: str, example: Example) -> Any:
        """Per-answer statistics for `score`: expensive to compute, cheap to aggregate."""

    @abstractmethod
    def score(self, judged: Sequence[Any]) -> float:
        """The metric over a set of answers; cheap, because the bootstrap calls it many times."""

    def reward(self, answer: str, example: Example) -> float:
        """Reward of a single answer, 0 to 1; 1 for the reference answer, also where the metric of one answer is
        undefined (an empty prediction for an empty reference)."""
        if example.answer and answer.strip() == example.answer:
            return 1.0
        return self.score([self.judge(answer, example)]) / 100

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Answers that ignore the question: always the most frequent one of the training split."""
        return [commonest(train or tests)] * len(tests)

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """Answers of a lexical baseline: the option that shares most words with the note."""
        fallback = self.trivial(train, tests)
        return [
            max(example.options, key=lambda o: overlap(o, example.note)) if example.options else other
            for example, other in zip(tests, fallback, strict=True)
        ]


class Choice(Task):
    """One of the example's options; accuracy over all questions, unparsable answers are wrong."""

    metric = "accuracy"

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """TF-IDF and logistic regression if all examples have the same options; else word overlap with the note."""
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
