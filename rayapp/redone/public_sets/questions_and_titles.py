"""Note-QueryCorr, Note-CHLW and Note-QueryGen from StackExchange: titles are queries, keyphrases what they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.chlw import chlw
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.query_corr import correlates, correlation
from rayapp.redone.tasks.query_gen import query_gen
from rayapp.redone.tasks.texts import words

FILE = "keyphrase/stackexchange.parquet"
SOURCE = "StackExchange"
NOTE_WORDS = 60  # of a body: social notes are short
GRADES = (-1, 1, 2, 3)
CANDIDATES = 6


def answers_query(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """No: half of the time another question's body, half of the time one that shares a keyphrase."""
    all_rows = _rows(folder, split)
    near = _by_phrase(all_rows)
    for n, rng in shuffled(list(range(len(all_rows))), seed):
        row = all_rows[n]
        if rng.random() < 0.5:
            yield correlates(row["title"], _note(row), True, SOURCE)
            continue
        other = _other(all_rows, near, row, rng) if rng.random() < 0.5 else None
        other = other or all_rows[int(rng.integers(len(all_rows)))]
        if other is not row:
            yield correlates(row["title"], _note(other), False, SOURCE)


def query_grades(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """3 the question's own body; 2 a body that shares two keyphrases or more, 1 one of them, -1 none."""
    all_rows = _rows(folder, split)
    near = _by_phrase(all_rows)
    for n, rng in shuffled(list(range(len(all_rows))), seed):
        row = all_rows[n]
        choice = int(rng.integers(3))
        other = row if choice == 0 else None
        if choice == 1:
            other = _other(all_rows, near, row, rng)
        other = other or all_rows[int(rng.integers(len(all_rows)))]
        shared = len(set(row["keyphrases"]) & set(other["keyphrases"]))
        grade = 3 if other is row else (2 if shared > 1 else 1 if shared else -1)
        yield correlation(row["title"], _note(other), grade, grades=GRADES, source=SOURCE)


def highlights(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """Keyphrases that the text says are its highlights; the other candidates are words of the text. Where it says none
    of its keyphrases, nothing is to be highlighted."""
    for row, rng in shuffled(_rows(folder, split), seed):
        comment = f"{row['title']} {_note(row)}"
        comment_words = words(comment)
        phrases = [p for p in row["keyphrases"] if p.casefold() in comment.casefold()]
        if not phrases and rng.random() > 0.5:
            continue
        taken = {word for phrase in phrases for word in words(phrase)}
        others = sorted({w for w in comment_words if len(w) > 3 and w not in taken})
        count = min(len(others), CANDIDATES - len(phrases[:3]))
        drawn = [others[n] for n in rng.choice(len(others), count, replace=False)] if count > 0 else []
        shown = [*phrases[:3], *drawn]
        if len(shown) > 1:
            yield chlw(comment, [shown[n] for n in rng.permutation(len(shown))], phrases[:3], SOURCE)


def next_query(folder: Path, split: str, seed: int) -> Iterator[Example]:
    for row, _ in shuffled(_rows(folder, split), seed):
        yield query_gen(_note(row), row["title"].rstrip(" ?."), SOURCE)


def _rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return rows(folder, FILE, split, has=("train", "test"))


def _note(row: dict[str, Any]) -> str:
    return " ".join(row["body"].split()[:NOTE_WORDS])


def _by_phrase(all_rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    near: dict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(all_rows):
        for phrase in row["keyphrases"]:
            near[phrase].append(n)
    return near


def _other(
    all_rows: list[dict[str, Any]], near: dict[str, list[int]], row: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any] | None:
    """Another row that shares a keyphrase, if there is one."""
    others = [all_rows[n] for phrase in row["keyphrases"] for n in near[phrase] if all_rows[n] is not row]
    return others[int(rng.integers(len(others)))] if others else None
