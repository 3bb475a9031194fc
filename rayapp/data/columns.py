"""Columns of a user's table as the system reads them, whatever types their writer chose. Nulls stay nulls."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rayapp.data.errors import DataFolderError
from rayapp.times import (
    DIGITS,
    MAX_TIMESTAMP_MS,
    MIN_TIMESTAMP_MS,
    TimeError,
    Unit,
    date_in_digits,
    milliseconds,
    unit_hint,
)
from rayapp.validation import MAX_EXACT

Column = pa.ChunkedArray


def _type_error(name: str, column: Column, wanted: str) -> DataFolderError:
    return DataFolderError(f"column {name!r} has the type {column.type}; write it as {wanted}")


def plain(column: Column) -> Column:
    """Dictionaries decoded, NaN as a gap."""
    if pa.types.is_dictionary(column.type):
        values: pa.DataType = column.type.value_type  # type: ignore[attr-defined]
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], values)
    if pa.types.is_float16(column.type):  # most of Arrow's functions have no form for it
        column = column.cast(pa.float32())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column


def is_bytes(kind: pa.DataType) -> bool:
    """Some writers have texts as bytes, which they are in the file."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def may_be_text(kind: pa.DataType) -> bool:
    """Texts, lists of texts, and gaps alone."""
    if pa.types.is_dictionary(kind):
        return may_be_text(kind.value_type)  # type: ignore[attr-defined]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return may_be_text(kind.value_type)  # type: ignore[attr-defined]
    return _is_text(kind) or pa.types.is_null(kind)


def texts(column: Column, name: str) -> Column:
    """Text as it is. Raises DataFolderError for another type."""
    column = plain(column)
    kind = column.type
    if not (pa.types.is_null(kind) or _is_text(kind) or is_bytes(kind)):
        raise _type_error(name, column, "text")
    try:
        column = column.cast(pa.string())
        column.validate(full=True)  # Parquet's readers take bytes for text unseen
    except pa.ArrowException:
        raise DataFolderError(f"column {name!r} holds bytes that are not UTF-8; write it as text") from None
    return column


def ids(column: Column, name: str) -> Column:
    """Ids as text: texts and whole numbers, exactly. Raises DataFolderError for numbers that are not exact."""
    column = plain(column)
    kind = column.type
    if pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        worst = pc.max(pc.abs(column)).as_py()
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py()
        if (worst or 0) > MAX_EXACT or whole is False:
            raise DataFolderError(
                f"column {name!r} holds floating-point numbers that are no exact ids (such as {_example(column)}); "
                "write ids as text or whole numbers"
            )
        return column.cast(pa.int64()).cast(pa.string())
    if pa.types.is_decimal(kind):
        try:
            return column.cast(pa.decimal256(76, 0)).cast(pa.string())
        except pa.ArrowException:
            raise _type_error(name, column, "text or whole numbers") from None
    if pa.types.is_boolean(kind):
        raise _type_error(name, column, "text or whole numbers")
    return texts(column, name)


def whole_numbers(column: Column, name: str) -> tuple[Column, Column]:
    """(int64, null for what is no whole number of 64 bits; which rows that is). Raises DataFolderError for types that
    hold no numbers."""
    column = plain(column)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise _type_error(name, column, "whole numbers")
    odd = pc.and_not(pc.is_valid(column), pc.is_valid(column))
    if pa.types.is_floating(kind):
        odd = pc.or_(pc.not_equal(column, pc.floor(column)), pc.greater(pc.abs(column), float(MAX_EXACT)))
    elif pa.types.is_uint64(kind):
        odd = pc.greater(column, pa.scalar(2**63 - 1, pa.uint64()))
    odd = pc.fill_null(odd, False)
    return pc.if_else(odd, None, column).cast(pa.int64()), odd


def times(column: Column, name: str, unit: Unit) -> tuple[Column, dict[int, str]]:
    """(int64 milliseconds, why by row): numbers in `unit`, or datetimes, dates and ISO 8601 texts, which say theirs.

    A value that is no time, or one of another unit, is null, with its reason; a gap is null without one. Raises
    DataFolderError for a type that holds no times.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.int64()), {}
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        stamps = column.cast(pa.timestamp("ms", tz=getattr(kind, "tz", None)), safe=False)
        return _checked(stamps.cast(pa.int64()), "ms")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        if unit == "ms" and pa.types.is_integer(kind):
            return _checked(column.cast(pa.int64(), safe=False), unit, numbers=True)
        return _checked(column.cast(pa.float64(), safe=False), unit, numbers=True)
    if _is_text(kind):
        return _one_by_one(texts(column, name).to_pylist(), unit)
    raise _type_error(name, column, "numbers, datetimes or ISO 8601 text")


def _checked(given: Column, unit: Unit, *, numbers: bool = False) -> tuple[Column, dict[int, str]]:
    """Vectorised for what is right, one by one for what is not. `numbers`: no datetimes, so that digits of a date may
    be among them."""
    ms = given if unit == "ms" else pc.multiply(given.cast(pa.float64()), 1000.0)
    ms = pc.round(ms) if pa.types.is_floating(ms.type) else ms
    good = pc.and_(pc.greater_equal(ms, MIN_TIMESTAMP_MS), pc.less_equal(ms, MAX_TIMESTAMP_MS))
    if numbers and unit == "ms":
        maybe = pc.and_(pc.greater_equal(ms, DIGITS[0]), pc.less(ms, DIGITS[1]))
        rows = pc.indices_nonzero(pc.fill_null(maybe, False)).to_pylist()
        no_date = np.ones(len(ms), bool)
        no_date[[row for row in rows if date_in_digits(ms[row].as_py()) is not None]] = False
        good = pc.and_(good, pa.array(no_date))
    bad = pc.indices_nonzero(pc.fill_null(pc.invert(good), False)).to_pylist()
    why: dict[int, str] = {}
    first: dict[str, str] = {}
    for row in bad:  # they are counted by reason: the value of the first stands for all that are alike
        value = given[row].as_py()
        hint = (date_in_digits(value) if numbers and unit == "ms" else None) or unit_hint(float(value), unit)
        why[row] = first.setdefault(hint, f"{value} is no time in {unit}: {hint}")
    return pc.if_else(good, ms, None).cast(pa.int64()), why


def _one_by_one(values: list[str | None], unit: Unit) -> tuple[Column, dict[int, str]]:
    found: list[int | None] = []
    why: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            found.append(None if value is None or not value.strip() else milliseconds(value, unit))
        except TimeError as error:
            found.append(None)
            why[row] = str(error)
    return pa.chunked_array([pa.array(found, pa.int64())]), why


def _example(column: Column) -> object:
    odd = column.filter(pc.or_(pc.not_equal(column, pc.floor(column)), pc.greater(pc.abs(column), float(MAX_EXACT))))
    return odd[0].as_py() if len(odd) else None


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
