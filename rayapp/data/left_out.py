"""Rows that cannot be used: left out, counted by reason and said once. A table of which most is unusable is refused."""

from __future__ import annotations

from collections import Counter

from rayapp.data.errors import DataFolderError

MOST_REASONS = 5


class LeftOut:
    """Of one table: `add` each row (or many at once) with its reason, then `check`."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.reasons: Counter[str] = Counter()

    def add(self, reason: str, rows: int = 1) -> None:
        if rows:
            self.reasons[reason] += rows

    @property
    def rows(self) -> int:
        return self.reasons.total()

    def check(self, total: int) -> None:
        """Raises DataFolderError when more than half of the rows cannot be used, and for a table without rows."""
        if total == 0:
            raise DataFolderError(f"{self.where} has no rows; give a table with some")
        if 2 * self.rows > total:
            raise DataFolderError(f"{self.where}: {self.rows:,} of {total:,} rows cannot be used: {self._why()}")

    def line(self, total: int) -> str:
        """For the user; empty when nothing was left out."""
        if not self.reasons:
            return ""
        return f"{self.where}: {self.rows:,} of {total:,} rows left out: {self._why()}"

    def _why(self) -> str:
        common = self.reasons.most_common(MOST_REASONS)
        rest = len(self.reasons) - len(common)
        told = "; ".join(f"{reason} ({count:,})" for reason, count in common)
        return told + (f"; {rest} more reasons" if rest else "")
