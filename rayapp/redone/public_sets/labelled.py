"""Note-Taxonomy from sets of labelled tweets: emotion, irony, stance, and EDOS as a path of three levels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.taxonomy import taxonomy, taxonomy_path

PATHS = 4  # candidates, the right one among them
_NUMBER = re.compile(r"^[\d.]+ ")


def emotion(folder: Path, split: str, seed: int) -> Iterator[Example]:
    labels = ("anger", "joy", "optimism", "sadness")
    for row, _ in shuffled(rows(folder, "tweeteval/emotion.parquet", split), seed):
        yield taxonomy(row["text"], labels, row["label"], about="the emotion", source="TweetEval emotion")


def irony(folder: Path, split: str, seed: int) -> Iterator[Example]:
    labels = {"irony": "ironic", "non_irony": "sincere"}
    for row, _ in shuffled(rows(folder, "tweeteval/irony.parquet", split), seed):
        yield taxonomy(
            row["text"], tuple(labels.values()), labels[row["label"]], about="the tone", source="TweetEval irony"
        )


def stance(folder: Path, split: str, seed: int) -> Iterator[Example]:
    labels = ("against", "favor", "none")
    for row, _ in shuffled(rows(folder, "tweeteval/stance.parquet", split), seed):
        about = f"the stance on {row['target']}"
        yield taxonomy(row["text"], labels, row["label"], about=about, source="TweetEval stance")


def sexism_paths(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """All sexist notes and one in three of the others; the candidates beside the right one are drawn."""
    posts = rows(folder, "moderation/edos.parquet", split)

    def path(row: dict[str, str]) -> tuple[str, str, str]:
        return row["label_sexist"], _NUMBER.sub("", row["label_category"]), _NUMBER.sub("", row["label_vector"])

    paths = sorted({path(row) for row in posts})
    for row, rng in shuffled(posts, seed):
        label = path(row)
        if row["label_sexist"] == "not sexist" and rng.random() > 1 / 3:
            continue
        others = [other for other in paths if other != label]
        drawn = [others[n] for n in rng.choice(len(others), PATHS - 1, replace=False)] + [label]
        yield taxonomy_path(row["text"], [drawn[n] for n in rng.permutation(PATHS)], label, "EDOS")
