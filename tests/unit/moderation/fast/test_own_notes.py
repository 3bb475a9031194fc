"""A user's own labelled notes: read in every usual form, or refused with file, row and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import HEADS, SourceError

ROWS = [
    {"text": "you fool", "label": "harassment", "split": "train"},
    {"text": "nice, day", "label": "none", "split": "dev"},
    {"text": "win a prize, fool", "label": "fraud, harassment", "split": "train"},
]


def written(folder: Path, kind: str) -> Path:
    file = folder / f"notes.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), file)
    elif kind == "csv":
        lines = [",".join(f'"{value}"' for value in row.values()) for row in ROWS]
        file.write_text("\ufeff" + "\n".join(["text,label,split", *lines]))
    else:
        file.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    return file


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_every_usual_form_is_read(tmp_path: Path, kind: str) -> None:
    notes = read_notes(written(tmp_path, kind))
    assert notes.texts == [row["text"] for row in ROWS]
    named = [{HEADS[c] for c in np.flatnonzero(row == 1)} for row in notes.labels]
    assert named == [{"harassment"}, set(), {"fraud", "harassment"}]
    assert set(notes.sources) == {"notes"}
    assert notes.harmless.tolist() == [False, True, False]
    assert read_notes(written(tmp_path, kind), "dev").texts == ["nice, day"]


def test_a_list_of_labels_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "labels": ["spam", "fraud"]}\n{"text": "y", "labels": []}')
    labels = read_notes(tmp_path / "a.jsonl").labels
    assert np.nansum(labels, axis=1).tolist() == [2.0, 0.0]
    assert np.isnan(labels[:, -1]).all(), "nobody looked for distress"
    (tmp_path / "b.jsonl").write_text('{"text": "x", "labels": ["distress"]}\n{"text": "y", "labels": []}')
    looked = read_notes(tmp_path / "b.jsonl")
    assert looked.labels[:, -1].tolist() == [1.0, 0.0]
    assert looked.harmless.all(), "distress is no harm"


def test_a_policy_of_ones_own_has_labels_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nvote for me,politics\na walk,none\n")
    found = read_notes(tmp_path / "a.csv", names=("politics", "distress"))
    assert found.labels[:, 0].tolist() == [1.0, 0.0]
    with pytest.raises(SourceError, match="row 1: label 'politics' is unknown; it may be one of hate"):
        read_notes(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "x", "label": "rude"}', "row 1: label 'rude' is unknown; it may be one of hate, "),
        ('{"text": "x", "label": "none"}\n{"text": "y"}', "row 2: there is no label"),
        ('{"label": "none"}', "row 1: text is missing"),
        ('{"text": 5, "label": "none"}', "row 1: text is 5"),
        ('{"text": "x"', "line 1"),
        ("[1]", "line 1"),
        ("", "has no notes"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(content)
    with pytest.raises(SourceError) as refused:
        read_notes(file)
    assert str(file) in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text,label\n\xff\xfe\x00,none\n")
    with pytest.raises(SourceError, match=name):
        read_notes(tmp_path / name)
    with pytest.raises(SourceError, match="cannot be read"):
        read_notes(tmp_path / "elsewhere")
