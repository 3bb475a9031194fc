"""Note-MRC from TweetQA; questions without an answer are those of other tweets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rayapp.llm.prompt import one_line
from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.mrc import complex_, simple
from rayapp.redone.tasks.texts import sentences

UNANSWERABLE = 0.3
OPTIONS = 4
SOURCE = "TweetQA"


def sentences_asked(folder: Path, split: str, seed: int) -> Iterator[Example]:
    all_rows = _rows(folder, split)
    for row, rng in shuffled(all_rows, seed):
        reason = _reason(row)
        if reason is None:
            continue
        if rng.random() < UNANSWERABLE:
            other = all_rows[int(rng.integers(len(all_rows)))]
            if other["note"] != row["note"]:
                yield simple(other["question"], row["note"], [], SOURCE)
                continue
        yield simple(row["question"], row["note"], [reason], SOURCE)


def options_asked(folder: Path, split: str, seed: int) -> Iterator[Example]:
    all_rows = _rows(folder, split)
    for row, rng in shuffled(all_rows, seed):
        reason = _reason(row)
        if reason is None:
            continue
        note = row["note"].casefold()
        drawn = (all_rows[n]["answers"][0] for n in rng.integers(len(all_rows), size=5 * OPTIONS))
        wrong = list(dict.fromkeys(answer for answer in drawn if answer.casefold() not in note))[:OPTIONS]
        if rng.random() < UNANSWERABLE or len(wrong) < OPTIONS:
            yield complex_(row["question"], row["note"], wrong, reasons={}, source=SOURCE)
            continue
        place = int(rng.integers(OPTIONS))
        wrong[place] = row["answers"][0]
        yield complex_(row["question"], row["note"], wrong, reasons={place: reason}, source=SOURCE)


def _rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """Its dev split is our test split, because the answers of its test split are not published."""
    source_split = {"test": "dev", "dev": "dev", "train": "train"}[split]
    if split == "test":
        return [
            row
            for row in rows(folder, "mrc/tweetqa.parquet", source_split, has=("train", "dev", "test"))
            if row["answers"]
        ]
    train_rows = rows(folder, "mrc/tweetqa.parquet", "train", has=("train", "dev", "test"))
    cut = len(train_rows) // 10
    return [row for row in (train_rows[:cut] if split == "dev" else train_rows[cut:]) if row["answers"]]


def _reason(row: dict[str, Any]) -> str | None:
    """The sentence that contains an answer verbatim."""
    for answer in row["answers"]:
        for sentence in sentences(one_line(row["note"])):
            if answer.casefold() in sentence.casefold():
                return sentence
    return None
