"""How rows are cut into the archive's files."""

from __future__ import annotations

import pyarrow as pa

from streaming.archive import by_date

DAY_MS = 86_400_000


def test_a_range_over_midnight_is_cut_at_the_date() -> None:
    times = [DAY_MS - 2, DAY_MS - 1, DAY_MS, 3 * DAY_MS]
    rows = pa.table({"partition": [0] * 4, "offset": [5, 6, 7, 8], "append_ms": times})
    parts = [(day, part["offset"].to_pylist()) for day, part in by_date(rows)]
    assert parts == [("1970-01-01", [5, 6]), ("1970-01-02", [7]), ("1970-01-04", [8])]
