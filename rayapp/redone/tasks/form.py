"""Verifiable instructions (after IFEval, Zhou et al. 2023), a test for forgetting of general ability."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.texts import words

WORDS = ("however", "today", "people", "example", "simple", "together")
# Name: what is asked, and whether an answer does it. {} is drawn.
FORMS: dict[str, tuple[str, Callable[[str, str], bool]]] = {
    "at most": ("Answer in at most {} words.", lambda answer, n: 0 < len(words(answer)) <= int(n)),
    "at least": ("Answer in at least {} words.", lambda answer, n: len(words(answer)) >= int(n)),
    "has word": ('Use the word "{}" in your answer.', lambda answer, word: word in words(answer)),
    "begins": ('Begin your answer with the word "{}".', lambda answer, word: words(answer)[:1] == [word]),
    "lower case": (
        "Write all of it in lower case, without capital letters.",
        lambda answer, _: answer == answer.lower(),
    ),
    "bullets": (
        "Give exactly {} bullet points, each on a line that begins with * and nothing else.",
        lambda answer, n: len(re.findall(r"(?m)^\s*[*-] ", answer)) == int(n),
    ),
    "no commas": ("Do not use any commas.", lambda answer, _: "," not in answer),
    "quoted": ("Put your whole answer in double quotation marks.", lambda answer, _: answer[:1] == answer[-1:] == '"'),
}


class Form(Task):
    """Share of instructions followed; an empty answer follows none."""

    name, family, metric, max_tokens = "instruction_form", "general", "accuracy", 96

    def judge(self, answer: str, example: Example) -> Any:
        kind, _, drawn = example.query.partition(":")
        return float(bool(answer.strip()) and FORMS[kind][1](answer.strip(), drawn))

    def score(self, judged: Sequence[Any]) -> float:
        return 100 * float(np.mean(judged)) if len(judged) else 0.0

    def trivial(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        return ["yes"] * len(tests)

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The instruction repeated."""
        return [example.question for example in tests]
