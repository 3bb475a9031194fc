from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rayapp.moderation.fast.sources import (
    CATEGORIES,
    HEADS,
    SOURCES,
    Source,
    SourceError,
    labels_of,
    read_source,
    together,
)
from rayapp.moderation.policy import load_policy


def test_the_categories_are_those_of_the_packaged_policy() -> None:
    assert tuple(load_policy().categories) == CATEGORIES


def test_what_nobody_looked_for_is_unknown_unless_it_was_found() -> None:
    found = labels_of(["sexism", "violence"], frozenset({"violence", "spam"}))
    by_name = dict(zip(HEADS, found, strict=True))
    assert (by_name["sexism"], by_name["violence"], by_name["hate"]) == (1.0, 1.0, 0.0)
    assert np.isnan(by_name["spam"])
    with pytest.raises(SourceError, match="'rude' is unknown"):
        labels_of(["rude"])


def test_a_folder_without_the_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"moderation/civil_toxic\.parquet is not there"):
        read_source(tmp_path, SOURCES[0], "dev")


@pytest.mark.data
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_every_set_is_read(data: Path, source: Source) -> None:
    parts = [read_source(data, source, split) for split in ("train", "dev", "test")]
    assert all(part.texts for part in parts)
    notes = together(parts)
    assert len(notes.texts) == len(notes.labels) == len(notes.sources)
    looked_for = {name for n, name in enumerate(CATEGORIES) if (notes.labels[:, n] == 0).any()}
    assert looked_for == set(CATEGORIES) - source.unknown
    assert notes.harmless.any()
