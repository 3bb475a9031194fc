"""Sources of every kind of file, and what they say when they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rayapp.redone.corpus.source import Source, SourceError, source_examples, texts
from rayapp.redone.tasks.example import Example, write_examples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {"title": ["One", "Two"], "tags": [["a", "b"], []], "split": ["train", "test"]}
    pq.write_table(pa.table(rows), tmp_path / "notes.parquet")
    (tmp_path / "more.jsonl").write_text('{"title": "Three", "tags": ["c"], "split": "train"}\n')
    (tmp_path / "plain.txt").write_text("first part\n\nsecond part\n")
    return tmp_path


def test_text_of_parquet_jsonl_and_plain_files(folder: Path) -> None:
    notes = Source("notes", "text", "notes.parquet", template="{title}: {tags}", where={"split": "train"})
    assert list(texts(notes, folder)) == ["One: a, b"]
    assert list(texts(Source("all", "text", f"file://{folder}/*.jsonl", template="{title}"), Path("x"))) == ["Three"]
    assert list(texts(Source("plain", "text", "plain.txt"), folder)) == ["first part", "second part\n"]
    assert list(texts(Source("few", "text", "notes.parquet", template="{title}", limit=1), folder)) == ["One"]


def test_instructions_and_our_own_examples(folder: Path) -> None:
    rows = [{"instruction": "Add", "input": "1 2", "output": "3"}, {"instruction": "Sing", "input": "", "output": "la"}]
    (folder / "i.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = list(source_examples(Source("i", "instructions", "i.jsonl"), folder, "train", 0))
    assert [(e.question, e.answer) for e in found] == [("Add\n1 2", "3"), ("Sing", "la")]
    own = [Example("ner", "q", "a", note="n")]
    write_examples(folder / "own.jsonl", own)
    assert list(source_examples(Source("own", "examples", "own.jsonl"), folder, "train", 0)) == own


@pytest.mark.parametrize(
    "path", ["foo://x", "s3://bucket/x", "x\0y.txt", "http://[", "torn.parquet", "folder", "abfs://a/b"]
)
@pytest.mark.parametrize("kind", ["text", "examples", "instructions"])
def test_a_path_of_any_kind_is_read_or_refused_in_one_line(folder: Path, path: str, kind: Any) -> None:
    (folder / "torn.parquet").write_bytes(b"PAR1 and no more")
    (folder / "folder").mkdir()
    source = Source("a", kind, path)
    with pytest.raises(SourceError) as refused:
        list(texts(source, folder) if kind == "text" else source_examples(source, folder, "train", 0))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("source a: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("a", "text", "none.parquet"), "none.parquet is not there"),
        (Source("a", "text", "none-*.parquet"), "matches no file"),
        (Source("a", "text", "notes.parquet", template="{body}"), "wants 'body'; there are title, tags, split"),
        (Source("a", "instructions", "notes.parquet"), "no column instruction"),
        (Source("poems", "task"), "no such public set; use one of emotion"),
        (Source("a", "text", "SNS-Bench_test.json"), "official benchmark file, for evaluation only"),
        (Source("a", "examples", "Note-Taxonomy-Single.json"), "official benchmark file, for evaluation only"),
        (Source("a", "text", "RedTrans-Bench.jsonl"), "official benchmark file, for evaluation only"),
    ],
)
def test_what_cannot_be_read_says_why(folder: Path, source: Source, message: str) -> None:
    read = texts(source, folder) if source.kind == "text" else source_examples(source, folder, "train", 0)
    with pytest.raises(SourceError, match=message.replace("*", r"\*")):
        list(read)


@pytest.mark.parametrize("gap", ["null", '""', '" "', "[]", "{}", "NaN", "false"])
@pytest.mark.parametrize("column", ["instruction", "output"])
def test_a_row_with_a_gap_is_left_out_and_never_read_as_a_word(folder: Path, gap: str, column: str) -> None:
    row = {"instruction": '"a"', "output": '"b"'} | {column: gap}
    bad = "{" + ", ".join(f'"{key}": {value}' for key, value in row.items()) + "}"
    (folder / "x.jsonl").write_text(f'{{"instruction": "q", "output": 7}}\n{bad}\n' if gap != "NaN" else "")
    (folder / "y.jsonl").write_text('{"title": null}\n{"title": "t"}\n')
    found = [example.answer for example in source_examples(Source("x", "instructions", "x.jsonl"), folder, "train", 0)]
    assert found == ([] if gap == "NaN" else ["7"])
    assert list(texts(Source("y", "text", "y.jsonl", template="{title}"), folder)) == ["t"]


@pytest.mark.parametrize("template", ["{title", "{title.x}", "{title:d}", "{0}", "{title[3][4]}"])
def test_a_template_that_cannot_be_filled_is_one_line(folder: Path, template: str) -> None:
    with pytest.raises(SourceError) as error:
        list(texts(Source("notes", "text", "notes.parquet", template=template), folder))
    assert "\n" not in str(error.value)


def test_a_broken_line_of_a_million_is_named(folder: Path) -> None:
    (folder / "x.jsonl").write_text('{"instruction": "a", "output": "b"}\n\n{"instruction": \n')
    with pytest.raises(SourceError, match="line 3"):
        list(source_examples(Source("x", "instructions", "x.jsonl"), folder, "train", 0))
