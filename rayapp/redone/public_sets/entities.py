"""Note-NER from WNUT-17 and Broad Twitter: one question per entity type in the note, and one for an absent type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.ner import ner

KINDS = {
    "person": "people",
    "per": "people",
    "location": "places",
    "loc": "places",
    "group": "groups and organisations",
    "org": "groups and organisations",
    "corporation": "companies",
    "product": "products",
    "creative-work": "creative works",
}
FILES = {"WNUT-17": "ner/wnut17.parquet", "Broad Twitter": "ner/broad_twitter.parquet"}


def entities(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """The two sets, interleaved."""
    streams = [_of(folder, source, split, seed) for source in FILES]
    while streams:
        for stream in list(streams):
            example = next(stream, None)
            if example is None:
                streams.remove(stream)
            else:
                yield example


def spans(tokens: Sequence[str], tags: Sequence[str]) -> list[tuple[str, str]]:
    """(type, text) of every entity, from BIO tags."""
    entities: list[tuple[str, list[str]]] = []
    inside = ""
    for token, tag in zip(tokens, tags, strict=True):
        mark, _, kind = tag.partition("-")
        kind = kind.casefold()
        if mark == "B" or (mark == "I" and kind != inside):
            entities.append((kind, [token]))
        elif mark == "I":
            entities[-1][1].append(token)
        inside = kind if mark in "BI" else ""
    return [(kind, " ".join(text)) for kind, text in entities]


def _of(folder: Path, source: str, split: str, seed: int) -> Iterator[Example]:
    sentences = rows(folder, FILES[source], split)
    kinds = sorted({kind for row in sentences for kind, _ in spans(row["tokens"], row["tags"])})
    for row, rng in shuffled(sentences, seed):
        # Broad Twitter has the mark before a name as a token, and an entity, of its own.
        named = [(kind, text) for kind, text in spans(row["tokens"], row["tags"]) if text != "@"]
        note = " ".join(row["tokens"]).replace("@ ", "@")
        absent = [kind for kind in kinds if kind not in {k for k, _ in named}]
        queried = list(dict.fromkeys(kind for kind, _ in named))
        # Most notes name nobody: one in four of them is asked, and so is an absent type of those that do.
        if absent and rng.random() < 0.25:
            queried.append(absent[int(rng.integers(len(absent)))])
        for kind in queried:
            yield ner(note, KINDS.get(kind, kind), [text for k, text in named if k == kind], source)
