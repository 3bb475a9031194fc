"""Public sets of notes labelled for moderation, and what their labels mean in the policy's categories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rayapp.data.parquet import read_file
from rayapp.errors import UserError
from rayapp.moderation.policy import NONE

SPLITS = ("train", "dev", "test")


class LabelSetError(UserError):
    """A labelled set is unknown, missing or empty."""


class LabelSet(NamedTuple):
    """`labels`: the set's own label to a category or `none`; `published`: (who, metric, value) on its test split."""

    name: str
    file: str
    column: str
    labels: Mapping[str, str]
    published: tuple[tuple[str, str, float], ...] = ()

    @property
    def possible(self) -> frozenset[str]:
        return frozenset(self.labels.values())


SETS = (
    LabelSet(
        "EDOS, task A",
        "moderation/edos.parquet",
        "label_sexist",
        {"not sexist": NONE, "sexist": "sexism"},
        (("best system of the shared task", "macro-F1", 0.8746),),
    ),
    LabelSet(
        "hate_offensive",
        "moderation/hate_offensive.parquet",
        "label",
        {"neither": NONE, "hate": "hate", "offensive": "harassment"},
    ),
    LabelSet(
        "TweetEval hate",
        "tweeteval/hate.parquet",
        "label",
        {"not-hate": NONE, "hate": "hate"},
        (("BERTweet", "macro-F1", 0.564), ("SVM", "macro-F1", 0.367)),
    ),
    LabelSet(
        "TweetEval offensive",
        "tweeteval/offensive.parquet",
        "label",
        {"not-offensive": NONE, "offensive": "harassment"},
        (("BERTweet", "macro-F1", 0.795), ("SVM", "macro-F1", 0.523)),
    ),
)


COVERED = frozenset(name for labelled in SETS for name in labelled.possible)


def set_named(name: str) -> LabelSet:
    """Raises LabelSetError."""
    for labelled in SETS:
        if labelled.name == name:
            return labelled
    raise LabelSetError(f"labelled set {name!r} is unknown; use one of {', '.join(s.name for s in SETS)}")


def read_split(folder: Path, labelled: LabelSet, split: str) -> tuple[list[str], list[str]]:
    """(texts, categories) of one split, in the file's order. Raises LabelSetError."""
    file = folder / labelled.file
    if not file.is_file():
        raise LabelSetError(f"{folder}: {labelled.file} is not there; give the folder of the labelled sets")
    table = read_file(file, dict.fromkeys(("text", labelled.column, "split"))).to_pydict()
    rows = zip(table["text"], table[labelled.column], table["split"], strict=True)
    chosen: list[tuple[str, str]] = []
    for text, label, own in rows:
        if label not in labelled.labels:
            known = ", ".join(map(str, labelled.labels))
            raise LabelSetError(f"{file}: {labelled.column} {str(label)[:60]!r} is unknown; it may be one of {known}")
        if own == split:
            chosen.append((text, labelled.labels[label]))
    if not chosen:
        raise LabelSetError(f"{file}: no rows of split {split!r}; the file must have them")
    return [text for text, _ in chosen], [category for _, category in chosen]
