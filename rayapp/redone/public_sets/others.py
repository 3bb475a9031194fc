"""Note-Gender (weak), Chinese Note-QueryCorr, and translation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.gender import gender
from rayapp.redone.tasks.query_corr import correlation
from rayapp.redone.tasks.translation import translation

TITLES = ("amazon-beauty/items.parquet", "amazon-toys/items.parquet")
READERS = {"women": re.compile(r"\b(for )?(women|woman|womens|women's|ladies|lady|girls?)\b", re.I),
           "men": re.compile(r"\b(for )?(men|man|mens|men's|gentlemen|gentleman|boys?)\b", re.I)}  # fmt: skip
_EITHER = re.compile("|".join(pattern.pattern for pattern in READERS.values()), re.I)


def readers(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """A weak set, for want of a public one: titles of cosmetics and toys that say for whom they are, less those words.

    `folder` lies beside the folder of the recommendation sets. No: a title for the others."""
    notes = []
    titles = [row for file in TITLES for row in rows(folder.parent, file, split, has=())]
    for row in titles:
        whom = [name for name, pattern in READERS.items() if pattern.search(row["title"] or "")]
        note = " ".join(_EITHER.sub(" ", row["title"] or "").split())
        if len(whom) == 1 and len(note.split()) >= 3:
            notes.append((note, whom[0]))
    for (note, whom), rng in shuffled(notes, seed):
        reader = str(rng.choice(sorted(READERS)))
        yield gender(note, reader, reader == whom, "Amazon titles (weak)")


def chinese_grades(folder: Path, split: str, seed: int) -> Iterator[Example]:
    for row, _ in shuffled(rows(folder, "relevance/qbqtc_zh.parquet", split, has=("train", "test")), seed):
        yield correlation(row["query"], row["title"], row["label"], grades=(0, 1, 2), source="QBQTC")


def translations(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """Every pair one way, which one by chance. A text with several translations is in one split alone."""
    for row, rng in shuffled(rows(folder, "translation/tatoeba_en_zh.parquet", split, has=()), seed):
        into = str(rng.choice(["en", "zh"]))
        text, reference = (row["zh"], row["en"]) if into == "en" else (row["en"], row["zh"])
        yield translation(text, reference, into, "Tatoeba")
