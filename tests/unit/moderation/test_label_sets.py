"""Labelled sets as they lie in a folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.moderation.label_sets import SETS, LabelSetError, read_split
from rayapp.moderation.policy import load_policy
from tests.conftest import DATA


def test_labels_become_categories_of_the_policy(tmp_path: Path) -> None:
    edos = SETS[0]
    (tmp_path / "moderation").mkdir()
    columns = {
        "text": ["a", "b", "c"],
        "label_sexist": ["sexist", "not sexist", "sexist"],
        "split": ["dev", "dev", "test"],
    }
    pq.write_table(pa.table(columns), tmp_path / edos.file)
    assert read_split(tmp_path, edos, "dev") == (["a", "b"], ["sexism", "none"])
    with pytest.raises(LabelSetError, match="no rows of split 'train'"):
        read_split(tmp_path, edos, "train")
    with pytest.raises(LabelSetError, match="hate_offensive.parquet is not there"):
        read_split(tmp_path, SETS[1], "dev")


def test_every_set_speaks_of_the_packaged_policy() -> None:
    assert set().union(*(s.possible for s in SETS)) <= set(load_policy().names)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "sns").is_dir(), reason=f"no development data in {DATA}")
@pytest.mark.parametrize("labelled", SETS, ids=lambda s: s.name)
def test_the_published_splits(labelled: object) -> None:
    for split in ("train", "dev", "test"):
        texts, truths = read_split(DATA / "sns", labelled, split)  # type: ignore[arg-type]
        assert len(texts) == len(truths) > 500
        assert set(truths) == labelled.possible  # type: ignore[attr-defined]
