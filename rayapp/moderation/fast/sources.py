"""Public sets of labelled notes as one: what each says of the eight categories, and what it never looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rayapp.data.parquet import read_file
from rayapp.errors import UserError

CATEGORIES = ("hate", "sexism", "harassment", "sexual", "violence", "self-harm", "spam", "fraud")
DISTRESS = "distress"  # somebody who may want to die: no category, what they need is help
HEADS = (*CATEGORIES, DISTRESS)
Row = Mapping[str, Any]


class SourceError(UserError):
    """A set of labelled notes is missing or cannot be read."""


class LabelledNotes(NamedTuple):
    """`labels` [N, C], C of HEADS (distress the last): 1 where a note has it, 0 where it was looked for and is not
    there, NaN where nobody looked. `sources` [N] names the set of each."""

    texts: list[str]
    labels: np.ndarray
    sources: np.ndarray

    def over(self, names: Sequence[str]) -> LabelledNotes:
        """Of HEADS to these names, the last of them distress; what is none of HEADS is unknown."""
        columns = [self.labels[:, HEADS.index(n)] if n in HEADS else np.full(len(self.texts), np.nan) for n in names]
        return self._replace(labels=np.stack(columns, 1))

    def where(self, chosen: np.ndarray) -> LabelledNotes:
        """Those that a mask or their places name."""
        places = np.arange(len(self.texts))[chosen]
        return LabelledNotes([self.texts[n] for n in places], self.labels[places], self.sources[places])

    @property
    def harmless(self) -> np.ndarray:
        """[N]: no category is known to fit, and at least one was looked for."""
        of_categories = self.labels[:, :-1]
        return (np.nan_to_num(of_categories).sum(1) == 0) & ~np.isnan(of_categories).all(1)

    @property
    def harmful(self) -> np.ndarray:
        """[N]: a category is known to fit."""
        return np.nan_to_num(self.labels[:, :-1]).sum(1) > 0


class Source(NamedTuple):
    """One file; `categories` of a row; `unknown`: what its raters did not look for, unless a row names it."""

    name: str
    file: str
    categories: Callable[[Row], Iterable[str]]
    columns: tuple[str, ...]
    unknown: frozenset[str] = frozenset()


def _all(row: Row) -> Iterable[str]:
    if row["kind"].startswith("ideation"):
        return (DISTRESS,)
    return (*(row["labels"] or ()), *(() if row["label"] == "none" else (row["label"],)))


def _mapped(column: str, meaning: Mapping[Any, tuple[str, ...]]) -> Callable[[Row], Iterable[str]]:
    return lambda row: meaning.get(row[column], ())


def _chinese(row: Row) -> Iterable[str]:
    return () if row["label"] == 0 else ("sexism" if row["topic"] == "gender" else "hate",)


def _only(*known: str) -> frozenset[str]:
    return frozenset(HEADS) - set(known)


def _own(name: str, *unknown: str) -> Source:
    return Source(name, f"moderation/{name}.parquet", _all, ("label", "labels", "kind"), frozenset(unknown))


_SNS = "sns/moderation"
_HATE = {"hate": ("hate",)}
_EDOS = {
    "1. threats, plans to harm and incitement": ("sexism", "violence"),
    "2. derogation": ("sexism",),
    "3. animosity": ("sexism",),
    "4. prejudiced discussions": ("sexism",),
}

# "offensive" of hate_offensive is mostly slang among friends, so harassment was not looked for there.
SOURCES = (
    _own("civil_toxic", "sexism", "sexual", "self-harm", DISTRESS),
    _own("hatemoji_build", "harassment", "sexual", "self-harm", DISTRESS),
    _own("hatexplain", "sexism", "violence", "sexual", "self-harm", DISTRESS),
    _own("stormfront", "sexism", "harassment", "violence", DISTRESS),
    _own("gab_hate", "sexism", "sexual", "self-harm", DISTRESS),
    _own("convabuse", "violence", "self-harm", DISTRESS),
    _own("sms_spam", "sexual", DISTRESS),
    _own("youtube_spam", "harassment", "sexual", DISTRESS),
    _own("janitr_x", "hate", "sexism", "harassment", DISTRESS),
    _own("cssrs_suicide"),
    _own("hard_negatives_idioms"),
    _own("read_by_hand"),
    Source("edos", f"{_SNS}/edos.parquet", _mapped("label_category", _EDOS), ("label_category",), _only("sexism")),
    Source("hate_offensive", f"{_SNS}/hate_offensive.parquet", _mapped("label", _HATE), ("label",), _only("hate")),
    Source("tweeteval_hate", "sns/tweeteval/hate.parquet", _mapped("label", _HATE), ("label",), _only("hate")),
    Source(
        "tweeteval_offensive",
        "sns/tweeteval/offensive.parquet",
        _mapped("label", {"offensive": ("harassment",)}),
        ("label",),
        _only("harassment"),
    ),
    Source("cold_zh", f"{_SNS}/cold_zh.parquet", _chinese, ("label", "topic"), _only("hate", "sexism", "harassment")),
)


def read_source(folder: Path, source: Source, split: str) -> LabelledNotes:
    """One split, in the file's order. Raises SourceError, DataFolderError."""
    file = folder / source.file
    if not file.is_file():
        raise SourceError(f"{folder}: {source.file} is not there; give the folder that holds moderation/ and sns/")
    rows = read_file(file, dict.fromkeys(("text", "split", *source.columns))).to_pylist()
    chosen = [row for row in rows if row["split"] == split and row["text"]]
    labels = [labels_of(source.categories(row), source.unknown) for row in chosen]
    return notes_of([row["text"] for row in chosen], labels, source.name)


def labels_of(
    categories: Iterable[str], unknown: frozenset[str] = frozenset(), *, names: Sequence[str] = HEADS
) -> list[float]:
    """One row of LabelledNotes.labels, `names` its columns. Raises SourceError for a category that is none of them."""
    found = set(categories)
    if strange := found - set(names):
        raise SourceError(f"label {min(strange)!r} is unknown; it may be one of {', '.join(names)}, or none")
    return [1.0 if name in found else float("nan") if name in unknown else 0.0 for name in names]


def notes_of(texts: list[str], labels: Sequence[Sequence[float]], source: str) -> LabelledNotes:
    matrix = np.array(labels, dtype=np.float32)
    return LabelledNotes(texts, matrix, np.full(len(texts), source, dtype=object))


def together(parts: Iterable[LabelledNotes]) -> LabelledNotes:
    found = [part for part in parts if part.texts]
    return LabelledNotes(
        [text for part in found for text in part.texts],
        np.concatenate([part.labels for part in found]),
        np.concatenate([part.sources for part in found]),
    )
