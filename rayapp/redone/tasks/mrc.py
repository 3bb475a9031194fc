"""Note-MRC: the sentences of a note that answer a question (simple), or the options it supports, with reasons
(complex)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import numpy as np

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.texts import EMPTY, bleu, overlap, rouge, sentences, word_f1

_OPTION = re.compile(r"^\s*(?:\(([A-Z])\)|([A-Z])(?:[:.)]|\s*$))", re.MULTILINE)


class MrcSimple(Task):
    """Mean of F1 of answerability, BLEU, ROUGE-1, ROUGE-2 and ROUGE-L; the last four over what is answerable."""

    name, family, metric, max_tokens = "mrc_simple", "mrc", "mean of F1, BLEU, ROUGE-1/2/L", 64

    def judge(self, answer: str, example: Example) -> Any:
        answered, answerable = answer.strip() not in ("", EMPTY), example.answer != EMPTY
        if not (answered and answerable):
            return answered, answerable, 0.0, 0.0, 0.0, 0.0
        return answered, answerable, bleu(answer, example.answer), *rouge(answer, example.answer)

    def score(self, judged: Sequence[Any]) -> float:
        rows = np.asarray(judged, dtype=float).reshape(-1, 6)
        both = float((rows[:, 0] * rows[:, 1]).sum())
        f1 = 2 * both / (rows[:, 0].sum() + rows[:, 1].sum()) if both else 0.0
        texts = rows[rows[:, 1] == 1, 2:]
        return 100 * float(np.mean([f1, *(texts.mean(0) if len(texts) else np.zeros(4))]))

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The sentence with most of the question's words."""
        return [max(sentences(e.note), key=lambda s: overlap(e.query, s), default=EMPTY) for e in tests]


class MrcComplex(Task):
    """Mean of word F1 of the whole answer, F1 and exact match of the set of options, times the parsable share."""

    name, family, metric, max_tokens = "mrc_complex", "mrc", "mean of F1, option F1, option EM x parsable", 64

    def judge(self, answer: str, example: Example) -> Any:
        predicted, wanted = _letters(answer), _letters(example.answer) or set()
        if predicted is None:
            return 0.0, 0.0, 0.0, 0.0
        common = len(predicted & wanted)
        f1 = 2 * common / (len(predicted) + len(wanted)) if predicted or wanted else 1.0
        return 1.0, word_f1(answer, example.answer), f1, float(predicted == wanted)

    def score(self, judged: Sequence[Any]) -> float:
        rows = np.asarray(judged, dtype=float).reshape(-1, 4)
        return 100 * float(rows[:, 1:].mean() * rows[:, 0].mean()) if len(rows) else 0.0

    def lexical(self, train: Sequence[Example], tests: Sequence[Example]) -> list[str]:
        """The option with most of its words in the note, and the sentence with most of the option's words."""
        answers = []
        for example in tests:
            letter, text = max(_shown(example.question).items(), key=lambda pair: overlap(pair[1], example.note))
            reason = max(sentences(example.note), key=lambda s: overlap(text, s), default="")
            answers.append(f"{letter}: {reason}")
        return answers


def simple(question: str, note: str, answer: Sequence[str], source: str) -> Example:
    """`answer`: sentences of the note, word for word; none where it has no answer."""
    instruction = f"Copy the sentences of the note that answer the question, or write {EMPTY} if none does."
    text = f"{instruction}\nNote: {one_line(note)}\nQuestion: {one_line(question)}"
    reference = " ".join(map(one_line, answer)) or EMPTY
    return Example(
        MrcSimple.name, text, reference, note=one_line(note), query=question, source=source, instruction=instruction
    )


def complex_(question: str, note: str, options: Sequence[str], *, reasons: Mapping[int, str], source: str) -> Example:
    """`reasons`: which options the note supports, and the sentence that says so."""
    instruction = (
        f"Which options does the note support as an answer? Give each with the sentence that says so, or write {EMPTY}."
    )
    listed = "\n".join(f"{letter}: {one_line(o)}" for letter, o in zip(ascii_uppercase, options, strict=False))
    text = f"{instruction}\nNote: {one_line(note)}\nQuestion: {one_line(question)}\n{listed}"
    reference = "\n".join(f"{ascii_uppercase[n]}: {one_line(reason)}" for n, reason in sorted(reasons.items())) or EMPTY
    return Example(
        MrcComplex.name, text, reference, note=one_line(note), query=question, source=source, instruction=instruction
    )


def _letters(answer: str) -> set[str] | None:
    """None: not an answer of this form."""
    text = answer.strip()
    if text == EMPTY:
        return set()
    return {first or second for first, second in _OPTION.findall(text)} or None


def _shown(question: str) -> dict[str, str]:
    lines = question.rsplit("\nQuestion: ", 1)[-1].splitlines()[1:]
    return {line[0]: line[3:] for line in lines if line[1:3] == ": "} or {"A": ""}
