"""What jobs and commands print: one console, and tables of results."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=True)


def print_table(title: str, columns: list[str], rows: list[list[Any]], numbered: bool = False) -> None:
    """`numbered`: of many columns with long names the numbers, and what they mean below."""
    shown = [columns[0], *(str(n) for n in range(1, len(columns)))] if numbered else columns
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(shown):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(table)
    for number, column in zip(shown[1:], columns[1:] if numbered else (), strict=False):
        console.print(f"  {number}: {column}", highlight=False)
