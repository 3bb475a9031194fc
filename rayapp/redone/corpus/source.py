"""Sources of training text and examples: Parquet, JSONL or plain text as files or URLs, and public sets by name."""

from __future__ import annotations

import logging
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import fsspec
import msgspec
import pyarrow.parquet as pq
from msgspec import Meta

from rayapp.errors import UserError, one_line
from rayapp.parsing import Unreadable, json_lines
from rayapp.redone.public_sets.mixture import SETS, examples
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.official import is_official

log = logging.getLogger(__name__)
INSTRUCTION_COLUMNS = ("instruction", "output")


class SourceError(UserError):
    """A source of a recipe cannot be read; the message says which and why."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One source of a mixture.

    `kind`: `text` fills `template` from each row; `instructions` has columns instruction, input, output; `examples`
    is our JSONL of task examples; `task` is a public set by name and `moderation` a labelled set, both from the data
    folder; `relevance` is a public set of notes that answer a query or not, in the prompt that search's reranker
    asks. `path`: a file, a pattern, or a URL that fsspec knows; below the data folder where it is relative. Of a
    public set its name, where the source is named otherwise. `weight`: its share of the examples, among the weights
    of all. `where`: values that columns must have."""

    name: str
    kind: Literal["text", "instructions", "examples", "task", "moderation", "relevance"]
    path: str = ""
    template: str = "{text}"
    weight: Annotated[float, Meta(ge=0, le=1e9)] = 1.0
    where: dict[str, str] = {}
    limit: Annotated[int, Meta(ge=0, le=10**12)] = 0


def texts(source: Source, folder: Path) -> Iterator[str]:
    """The texts of a `text` source. Raises SourceError."""
    skipped = 0
    for row in _rows(source, folder):
        flat = {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()}
        if any(flat.get(name, "") is None for name in _fields(source)):
            skipped += 1  # a gap is not the word None
            continue
        try:
            yield source.template.format(**flat)
        except KeyError as error:
            raise SourceError(
                f"source {source.name}: template {source.template!r} wants {error}; there are {', '.join(row)}"
            ) from None
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            raise SourceError(f"source {source.name}: template {source.template!r} cannot be filled: {error}") from None
    if skipped:
        log.warning("source %s: %d rows with a gap are left out", source.name, skipped)


def _fields(source: Source) -> list[str]:
    """Columns that the template names. Raises SourceError for a template that cannot be read."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(source.template) if name]
    except ValueError as error:
        raise SourceError(f"source {source.name}: template {source.template!r} cannot be read: {error}") from None


def source_examples(source: Source, folder: Path, split: str, seed: int) -> Iterator[Example]:
    """The examples of a `task`, `relevance`, `examples` or `instructions` source. Raises SourceError."""
    if source.kind in ("task", "relevance"):
        # A recipe may use a set twice, as a task and as relevance judgements; the sources then differ by name.
        name = source.path or source.name
        if name not in SETS:
            raise SourceError(f"source {source.name}: there is no such public set; use one of {', '.join(SETS)}")
        yield from examples(folder, name, split, source.limit or None, seed=seed)
        return
    skipped = 0
    for row in _rows(source, folder):
        if source.kind == "examples":
            try:
                yield msgspec.convert(row, Example)
            except msgspec.ValidationError as error:
                raise SourceError(f"source {source.name}: an example cannot be read: {error}") from None
            continue
        missing = [name for name in INSTRUCTION_COLUMNS if name not in row]
        if missing:
            raise SourceError(f"source {source.name}: no column {missing[0]}; there are {', '.join(row)}")
        instruction, output, further = (_text(row.get(name)) for name in (*INSTRUCTION_COLUMNS, "input"))
        if not instruction or not output:
            skipped += 1
            continue
        yield Example(
            "instruction", f"{instruction}\n{further}" if further else instruction, output, source=source.name
        )
    if skipped:
        log.warning("source %s: %d rows without an instruction or an output are left out", source.name, skipped)


def _text(value: object) -> str:
    """A cell's text; empty for what holds none (a gap, a list, an object)."""
    if isinstance(value, str):
        return value if value.strip() else ""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else ""


def _rows(source: Source, folder: Path) -> Iterator[dict[str, Any]]:
    where = source.path if "://" in source.path or source.path.startswith("/") else str(folder / source.path)
    try:
        files = fsspec.open_files(where, "rb")
    except Exception as error:  # a protocol that is unknown or not installed, or a place that it cannot list
        raise SourceError(f"source {source.name}: {source.path!r} cannot be opened: {one_line(error)}") from None
    official = [opened.path for opened in files if is_official(opened.path)]
    if official:
        raise SourceError(f"source {source.name}: {official[0]} is an official benchmark file, for evaluation only")
    if not files:
        raise SourceError(f"source {source.name}: {source.path} matches no file; give a file, a pattern or a URL")
    count = 0
    for opened in files:
        for row in _of(source, opened):
            if any(str(row.get(column)) != value for column, value in source.where.items()):
                continue
            yield row
            count += 1
            if count == source.limit:
                return


def _of(source: Source, opened: Any) -> Iterator[dict[str, Any]]:
    try:
        with opened as file:
            if opened.path.endswith(".parquet"):
                for batch in pq.ParquetFile(file).iter_batches(1000):
                    yield from batch.to_pylist()
            elif opened.path.endswith((".jsonl", ".ndjson")):
                for _number, record in json_lines(file, what=opened.path):
                    if isinstance(record, Unreadable):
                        raise record
                    yield record
            else:
                yield from ({"text": part} for part in file.read().decode().split("\n\n") if part.strip())
    except FileNotFoundError:
        raise SourceError(f"source {source.name}: {opened.path} is not there") from None
    except Exception as error:  # each protocol and each format has errors of its own
        raise SourceError(f"source {source.name}: {opened.path} cannot be read: {one_line(error)}") from None
