"""The interactions of a data folder or a log file: any writer's table becomes INTERACTION_SCHEMA, row by row as events
are checked at every other door."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rayapp.data import columns
from rayapp.data.columns import Column
from rayapp.data.errors import DataFolderError
from rayapp.data.left_out import LeftOut
from rayapp.domain import ACTIONS, INTERACTION_SCHEMA, MAX_ID
from rayapp.errors import one_line
from rayapp.times import Unit
from rayapp.validation import MAX_CLOCK_AHEAD_MS

DEFAULT_SCENARIO = "homefeed"
MAX_QUERY = 1000
TIME_KEYS: dict[str, Unit] = {"timestamp_ms": "ms", "timestamp": "s"}
DEFAULTS = {"scenario": DEFAULT_SCENARIO, "action": "click", "query": None, "position": 0}


def normalise_interactions(table: pa.Table, where: str = "interactions") -> pa.Table:
    """The usable rows as INTERACTION_SCHEMA. Raises DataFolderError, also when more than half are unusable."""
    usable, left_out = usable_interactions(table, where)
    left_out.check(table.num_rows)
    return usable


def usable_interactions(table: pa.Table, where: str = "interactions") -> tuple[pa.Table, LeftOut]:
    """(INTERACTION_SCHEMA, what was left out and why). Raises DataFolderError for columns that cannot be read."""
    try:
        return _usable(table, where)
    except DataFolderError as error:
        raise DataFolderError(f"{where}: {error}") from None
    except pa.ArrowException as error:
        raise DataFolderError(f"{where}: a column cannot be read: {one_line(error)}; write it anew") from None


def _usable(table: pa.Table, where: str) -> tuple[pa.Table, LeftOut]:
    names = set(table.schema.names)
    for needed in ("user_id", "item_id"):
        if needed not in names:
            raise DataFolderError(f"interactions have no column {needed!r}; they have {sorted(names)}")
    times = [key for key in TIME_KEYS if key in names]
    if not times:
        raise DataFolderError("interactions need a column timestamp (s) or timestamp_ms")
    key = times[0]
    rows = table.num_rows
    left_out = LeftOut(where)
    good = pa.chunked_array([pa.array([True] * rows, pa.bool_())])

    def leave(bad: Column, reason: str) -> None:
        nonlocal good
        bad = pc.and_(good, pc.fill_null(bad, True))
        left_out.add(reason, pc.sum(bad).as_py() or 0)
        good = pc.and_(good, pc.invert(bad))

    def given(name: str, read_as: Callable[[Column, str], Column], default: object) -> Column | None:
        """An optional column, gaps filled."""
        if name not in names:
            return None
        column = read_as(table[name], name)
        return column if default is None else pc.fill_null(column, default)

    read: dict[str, Column | pa.Array] = {}
    for name in ("user_id", "item_id"):
        read[name] = columns.ids(table[name], name)
        leave(pc.equal(pc.fill_null(pc.utf8_length(read[name]), 0), 0), f"{name} is empty")
        leave(pc.greater(pc.utf8_length(read[name]), MAX_ID), f"{name} has more than {MAX_ID} characters")
    moments, why = columns.times(table[key], key, TIME_KEYS[key])
    for reason, count in Counter(why.values()).items():
        left_out.add(f"{key}: {reason}", count)
    good = pc.and_(good, pc.invert(_marked(why, rows)))
    leave(pc.is_null(moments), f"{key} is empty")
    leave(pc.greater(moments, int(time.time() * 1000) + MAX_CLOCK_AHEAD_MS), f"{key} is later than now")
    read["timestamp_ms"] = moments
    optional = {
        "scenario": given("scenario", columns.ids, DEFAULT_SCENARIO),
        "action": given("action", columns.texts, "click"),
        "query": given("query", columns.texts, None),
        "position": None,
    }
    if "position" in names:
        numbers, odd = columns.whole_numbers(table["position"], "position")
        optional["position"] = pc.fill_null(numbers, 0)
        leave(odd, "position is no whole number")
    if (scenario := optional["scenario"]) is not None:
        length = pc.utf8_length(scenario)
        leave(pc.or_(pc.equal(length, 0), pc.greater(length, MAX_ID)), f"scenario is empty or over {MAX_ID} characters")
    if (action := optional["action"]) is not None:
        known = pc.is_in(action, pa.array(ACTIONS, pa.string()))
        odd = action.filter(pc.invert(known))
        if len(odd):
            leave(pc.invert(known), f"action {odd[0].as_py()[:60]!r} is unknown; use {', '.join(ACTIONS)}")
    if (query := optional["query"]) is not None:
        too_long = pc.fill_null(pc.greater(pc.utf8_length(query), MAX_QUERY), False)
        leave(too_long, f"query has more than {MAX_QUERY:,} characters")
    for name, column in optional.items():
        default = DEFAULTS[name]
        read[name] = column if column is not None else pa.array([default] * rows, INTERACTION_SCHEMA.field(name).type)
    whole = pa.table(read, schema=INTERACTION_SCHEMA)
    return (whole if left_out.rows == 0 else whole.filter(good)), left_out


def _marked(rows: Iterable[int], total: int) -> Column:
    marks = np.zeros(total, dtype=bool)
    marks[list(rows)] = True
    return pa.chunked_array([pa.array(marks)])
