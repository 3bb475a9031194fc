"""Times as clients, logs and files write them, in milliseconds since the epoch.

A number in another unit is a moment in another year. The plausible ranges of seconds, milliseconds, microseconds and
nanoseconds do not overlap, so a wrong unit is recognised and refused with a hint instead of being taken as it is.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from rayapp.errors import UserError

MIN_TIMESTAMP_MS = 100_000_000_000  # 1973-03-03: below it, a number of milliseconds is one of seconds
MAX_TIMESTAMP_MS = 4_102_444_800_000  # 2100-01-01
DIGITS = (199_001_010_000, 210_001_010_000)  # 1990 to 2100 as yyyymmddHHMM

Unit = Literal["s", "ms"]
IN_MS: dict[str, float] = {"s": 1000.0, "ms": 1.0}
UNITS = {"seconds": 1000.0, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
KEYS = {"seconds": "timestamp", "milliseconds": "timestamp_ms"}


class TimeError(UserError):
    """A value that is no time in its unit; the text says what it looks like and what to send."""


def milliseconds(value: Any, unit: Unit) -> int:
    """A time as whole milliseconds since the epoch, 1973 to 2100. Raises TimeError.

    Numbers (also as text) are in `unit`. ISO 8601 texts, dates and datetimes say their unit themselves; without a zone
    they are UTC.
    """
    if isinstance(value, bool) or value is None:
        raise TimeError(f"{value!r} is no time; {_accepted(unit)}")
    if isinstance(value, str):
        return _of_text(value, unit)
    if isinstance(value, datetime):
        return _checked(value.replace(tzinfo=value.tzinfo or UTC).timestamp() * 1000, value, "ms")
    if isinstance(value, date):
        return _checked(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() * 1000, value, "ms")
    if isinstance(value, Decimal):
        value = float(value) if value.is_finite() else math.nan
    if not isinstance(value, int | float):
        raise TimeError(f"a {type(value).__name__} is no time; {_accepted(unit)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise TimeError(f"{value} is no time; {_accepted(unit)}")
    if abs(value) >= 1e19:
        raise TimeError(f"a number beyond 10^19 is no time; {_accepted(unit)}")
    if unit == "ms" and (hint := date_in_digits(value)) is not None:
        raise TimeError(f"{value} is no time in {unit}: {hint}")
    return _checked(value * 1000 if unit == "s" else value, value, unit)


def unit_hint(number: float, unit: Unit) -> str:
    """What a number outside of the range of `unit` looks like, and what to do."""
    for name, factor in UNITS.items():
        if MIN_TIMESTAMP_MS <= number * factor <= MAX_TIMESTAMP_MS:
            remedy = f"send it as {KEYS[name]}" if name in KEYS else f"divide it and send {_accepted(unit)}"
            return f"it looks like {name}: {remedy}"
    return f"times are from 1973 to 2100: {_accepted(unit)}"


def date_in_digits(number: float) -> str | None:
    """A hint where a number of milliseconds (of 1976) is a date and time of this age written as yyyymmddHHMM."""
    if not DIGITS[0] <= number < DIGITS[1] or number != int(number):
        return None
    try:
        at = datetime.strptime(str(int(number)), "%Y%m%d%H%M")
    except ValueError:
        return None
    return f"it looks like {at:%Y-%m-%d %H:%M} written as digits: send {at:%Y-%m-%dT%H:%M}Z"


def _of_text(text: str, unit: Unit) -> int:
    stripped = text.strip()
    try:
        return milliseconds(int(stripped) if stripped.lstrip("+-").isdecimal() else float(stripped), unit)
    except ValueError:  # no number: a date then
        pass
    try:
        return milliseconds(datetime.fromisoformat(stripped), unit)
    except ValueError:
        raise TimeError(f"{text[:40]!r} is no time; {_accepted(unit)}") from None


def _checked(ms: float, value: Any, unit: Unit) -> int:
    if not MIN_TIMESTAMP_MS <= ms <= MAX_TIMESTAMP_MS:
        if isinstance(value, date):  # datetimes are dates
            raise TimeError(f"{value.isoformat()} is outside of 1973 to 2100")
        raise TimeError(f"{value} is no time in {unit}: {unit_hint(float(value), unit)}")
    return round(ms)


def _accepted(unit: Unit) -> str:
    return f"{'seconds' if unit == 's' else 'milliseconds'} since the epoch, or ISO 8601"
