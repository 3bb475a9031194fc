"""What the fast classifier is trained on: how many notes of each public set, how often each is drawn, and ordinary
posts, in which no category is meant to be found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rayapp.data.parquet import read_file
from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import HEADS, SOURCES, LabelledNotes, notes_of, read_source, together

WRITTEN = "written"  # notes of the user's own, and those that come with the package
ORDINARY = "ordinary"
MOST = {
    "hatexplain": 3000,
    "edos": 5000,
    "civil_toxic": 4000,
    "stormfront": 2500,
    "tweeteval_offensive": 2500,
    "gab_hate": 2500,
    "sms_spam": 2000,
    "hate_offensive": 1500,
    "tweeteval_hate": 1000,
    "cold_zh": 9000,
}
MOST_DEV = 700
# Small sets that were read one by one say more a note than large ones that were labelled in passing.
WEIGHTS = {
    WRITTEN: 8.0,
    "read_by_hand": 4.0,
    "hard_negatives_idioms": 4.0,
    "janitr_x": 1.5,
    ORDINARY: 0.8,
    "stormfront": 0.7,
    "tweeteval_offensive": 0.7,
    "hate_offensive": 0.5,
    "tweeteval_hate": 0.5,
}
# Not labelled for moderation, so some are not harmless; few enough to be outvoted.
ORDINARY_SETS = (
    ("sns/tweeteval/emoji.parquet", "text", 7000),
    ("sns/keyphrase/stackexchange.parquet", "title", 2000),
    ("sns/general/alpaca_en.parquet", "output", 2000),
)
LONGEST = 400  # characters of an ordinary text
EIGHTH, TENTH = 8, 10  # of the ordinary and the written notes one in so many is held out


class Mixture(NamedTuple):
    train: LabelledNotes
    dev: LabelledNotes
    test: LabelledNotes


def mixture(
    data: Path, written: Sequence[LabelledNotes], *, left_out: frozenset[str] = frozenset(), seed: int
) -> Mixture:
    """`left_out`: sets that nothing is trained on; they stay in dev and test. Raises SourceError, DataFolderError."""
    rng = np.random.default_rng(seed)
    train, dev, test = ([read_source(data, source, split) for source in SOURCES] for split in ("train", "dev", "test"))
    trained = [_most(part, rng, MOST.get(part.sources[0])) for part in train if part.sources[0] not in left_out]
    texts = [text for file, column, count in ORDINARY_SETS for text in _texts(data / file, column, count, rng)]
    ordinary = notes_of(texts, np.zeros((len(texts), len(HEADS))).tolist(), ORDINARY)
    held_out = [_most(part, rng, MOST_DEV) for part in dev]
    for notes, every in ((ordinary, EIGHTH), *((own, TENTH) for own in written)):
        places = np.arange(len(notes.texts)) % every
        trained.append(notes.where(places > 0))
        held_out.append(notes.where(places == 0))
    return Mixture(together(trained), together(held_out), together(test))


def held_out(data: Path, trained_on: Iterable[Path], *, seed: int) -> LabelledNotes:
    """The dev part of the mixture that a classifier was trained on with these files and this seed."""
    return mixture(data, [written(file) for file in trained_on], seed=seed).dev


def written(file: Path) -> LabelledNotes:
    """Own notes to train on. Raises SourceError."""
    notes = read_notes(file)
    return notes._replace(sources=np.full(len(notes.texts), WRITTEN, dtype=object))


def weights_of(notes: LabelledNotes) -> np.ndarray:
    """[N]: how often each is drawn, relative to the others."""
    return np.array([WEIGHTS.get(source, 1.0) for source in notes.sources])


def _most(notes: LabelledNotes, rng: np.random.Generator, most: int | None) -> LabelledNotes:
    if most is None or len(notes.texts) <= most:
        return notes
    return notes.where(np.sort(rng.permutation(len(notes.texts))[:most]))


def _texts(file: Path, column: str, count: int, rng: np.random.Generator) -> list[str]:
    found = [text for text in read_file(file, {column: None})[column].to_pylist() if text and text.strip()]
    return [found[n][:LONGEST] for n in rng.permutation(len(found))[:count]]
