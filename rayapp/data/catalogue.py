"""The items of a data folder, row by row as items are checked at every other door."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rayapp.data import columns
from rayapp.data.errors import DataFolderError
from rayapp.data.left_out import LeftOut
from rayapp.domain import Item
from rayapp.errors import one_line
from rayapp.times import Unit
from rayapp.validation import InvalidRecord, columns_without_text, parse_item

TIME_KEYS: dict[str, Unit] = {"timestamp_ms": "ms", "timestamp": "s"}  # the first that a row has counts
IDS = ("item_id", "author")
BATCH = 10_000


def usable_items(table: pa.Table, file: Path) -> tuple[dict[str, Item], list[str]]:
    """(items by id, what the user should know, a line each). Raises DataFolderError, also when most is unusable."""
    try:
        return _usable(table, file)
    except pa.ArrowException as error:
        raise DataFolderError(f"{file}: a column cannot be read: {one_line(error)}; write it anew") from None


def _usable(table: pa.Table, file: Path) -> tuple[dict[str, Item], list[str]]:
    if "item_id" not in table.schema.names:
        raise DataFolderError(f"{file} has no column 'item_id'; it has {sorted(table.schema.names)}")
    try:
        table, bad_times = _read_columns(table)
    except DataFolderError as error:
        raise DataFolderError(f"{file}: {error}") from None
    table, without_text = _with_text(table)
    found: dict[str, Item] = {}
    left_out, again = LeftOut(str(file)), 0
    now_ms = int(time.time() * 1000)
    for number, row in enumerate(_rows(table)):
        try:
            if number in bad_times:
                raise InvalidRecord("invalid", bad_times[number])
            if isinstance(row, Exception):
                raise InvalidRecord("invalid", f"a value cannot be read: {one_line(row)}")
            present = {key: value for key, value in row.items() if value is not None and value == value}  # NaN: a gap
            if isinstance(present.get("image"), str) and present["image"]:
                present["image"] = _picture(file.parent, present["image"])
            item = parse_item(present, now_ms)
        except InvalidRecord as error:
            left_out.add(str(error).removeprefix("item: "))
            continue
        without_text.update(columns_without_text(present))
        again += item.item_id in found
        found[item.item_id] = item
    left_out.check(table.num_rows)
    notices = [left_out.line(table.num_rows)] if left_out.rows else []
    if again:
        notices.append(f"{file}: {again:,} rows repeat an item_id; the last row of an id counts")
    if without_text:
        notices.append(f"{file}: columns without text are left out: {', '.join(sorted(without_text)[:10])}")
    return found, notices


def _read_columns(table: pa.Table) -> tuple[pa.Table, dict[int, str]]:
    """Known columns as parse_item takes them, whatever types their writer chose, and why a row's time is none."""
    bad_times: dict[int, str] = {}
    at = None
    for key, unit in TIME_KEYS.items():
        if key not in table.schema.names:
            continue
        moments, why = columns.times(table[key], key, unit)
        earlier = at.to_pylist() if at is not None and why else []
        for row, reason in why.items():
            if not earlier or earlier[row] is None:
                bad_times.setdefault(row, f"{key}: {reason}")
        at = moments if at is None else pc.coalesce(at, moments)
        table = table.drop_columns([key])
    if at is not None:
        table = table.append_column("timestamp_ms", at)
    for number, name in enumerate(table.schema.names):
        if name in IDS:
            table = table.set_column(number, name, columns.ids(table[name], name))
        elif name in Item.__struct_fields__ and columns.is_bytes(table[name].type):
            table = table.set_column(number, name, columns.texts(table[name], name))
    return table, bad_times


def _with_text(table: pa.Table) -> tuple[pa.Table, set[str]]:
    """Without further columns that hold no text, and which those are: some of their values Python has no type for."""
    names = [
        n for n in table.schema.names if n not in Item.__struct_fields__ and not columns.may_be_text(table[n].type)
    ]
    filled = {name for name in names if columns.plain(table[name]).null_count < table.num_rows}
    return table.drop_columns(names), filled


def _rows(table: pa.Table) -> Iterator[dict[str, Any] | Exception]:
    """A row that Python cannot hold (a date of the year 33658, bytes that are not UTF-8) is its error."""
    for batch in table.to_batches(max_chunksize=BATCH):
        try:
            yield from batch.to_pylist()
        except (ValueError, OverflowError, LookupError, pa.ArrowException):
            yield from (_row(batch, number) for number in range(batch.num_rows))


def _row(batch: pa.RecordBatch, number: int) -> dict[str, Any] | Exception:
    try:
        return batch.slice(number, 1).to_pylist()[0]
    except (ValueError, OverflowError, LookupError, pa.ArrowException) as error:
        return error


def _picture(folder: Path, image: str) -> str:
    """Raises InvalidRecord."""
    try:
        return str((folder / image).resolve())
    except (ValueError, OSError, RuntimeError) as error:  # a NUL, a name that is too long, links in a circle
        raise InvalidRecord("invalid", f"image {image[:60]!r} is no path ({error}); correct it", "image") from None
