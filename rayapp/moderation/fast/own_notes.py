"""Labelled notes in a file of the user's: Parquet, CSV or JSON lines, with a text and its categories."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from rayapp.data.errors import DataFolderError
from rayapp.data.parquet import MARK, read_file
from rayapp.moderation.fast.sources import HEADS, LabelledNotes, SourceError, labels_of, notes_of
from rayapp.parsing import Unreadable, json_object

NOTHING = ("", "none")


def read_notes(file: Path, split: str | None = None, *, names: Sequence[str] = HEADS) -> LabelledNotes:
    """Of columns `text` and `label` (one category, or several with commas; `none`) or `labels` (a list); of `split`
    alone, if the file has that column and one is asked for.

    Raises SourceError, which names file and row.
    """
    texts: list[str] = []
    labels: list[list[float]] = []
    for number, row in enumerate(_rows(file), 1):
        if split is not None and row.get("split") not in (None, split):
            continue
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            raise SourceError(f"{file}, row {number}: text is {_shown(text)}; every note needs one")
        try:
            labels.append(labels_of(_categories(row), names=names))
        except SourceError as error:
            raise SourceError(f"{file}, row {number}: {error}") from None
        texts.append(text)
    if not texts:
        raise SourceError(f"{file} has no notes" + (f" of split {split!r}" if split else ""))
    found = notes_of(texts, labels, file.stem)
    if not found.labels[:, -1].any():  # nobody looked for distress
        found.labels[:, -1] = float("nan")
    return found


def _categories(row: Mapping[str, Any]) -> list[str]:
    given: Any = row.get("labels", row.get("label"))
    if given is None:
        raise SourceError("there is no label; name the category in a column `label`, or `none`")
    names = cast("list[Any]", given) if isinstance(given, list | tuple) else str(given).split(",")
    return [name for one in names if (name := str(one).strip()) not in NOTHING]


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open("rb") as opened:
            head = opened.read(len(MARK))
        if head == MARK:
            yield from read_file(file).to_pylist()
        elif file.suffix.lower() in (".csv", ".tsv"):
            with file.open(encoding="utf-8-sig", newline="") as lines:
                yield from csv.DictReader(lines, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
        else:
            with file.open(encoding="utf-8-sig") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield json_object(line, what=f"{file}, line {number}")
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except (Unreadable, DataFolderError, csv.Error) as error:
        raise SourceError(str(error) if str(file) in str(error) else f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{file} is not UTF-8; write it anew") from None


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]
