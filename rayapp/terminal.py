"""The console that jobs and commands print to, and tables of results."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=True)


def table(title: str, columns: list[str], rows: list[list[Any]]) -> Table:
    """Rows as a rich table; floats with four digits, the first column to the left."""
    made = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        made.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    return made


def print_table(title: str, columns: list[str], rows: list[list[Any]], *, numbered: bool = False) -> None:
    """Print rows as a table. `numbered`: number the columns and explain the numbers below, for many long names."""
    shown = [columns[0], *(str(n) for n in range(1, len(columns)))] if numbered else columns
    console.print(table(title, shown, rows))
    for number, column in zip(shown[1:], columns[1:] if numbered else (), strict=False):
        console.print(f"  {number}: {column}", highlight=False)
