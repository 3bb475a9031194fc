"""Markdown: paragraphs of at most 118 columns, tables, and text that is safe inside them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 118
HEADER = "<!-- Generated from the code by `python -m docs.generate`; do not edit. -->"


def plain(text: str) -> str:
    """Text in which `<` starts no HTML; code spans stay as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def paragraph(text: str) -> str:
    """One paragraph, wrapped between words."""
    return textwrap.fill(" ".join(plain(text).split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def bullet(text: str) -> str:
    return textwrap.fill(
        "- " + " ".join(plain(text).split()),
        WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def cell(text: object) -> str:
    """One table cell: one line, no bar that would end it."""
    return " ".join(plain(str(text)).split()).replace("|", "\\|")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def code(value: object) -> str:
    """A code span; empty text gives nothing."""
    return f"`{value}`" if str(value) else ""


def block(text: str, language: str = "") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def page(title: str, *parts: str) -> str:
    """A whole page; empty parts are left out."""
    return "\n\n".join([HEADER, f"# {title}", *(part for part in parts if part)]) + "\n"


def first_paragraph(docstring: str | None) -> str:
    """The summary of a docstring: what it says before the first empty line."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def sentences(text: str) -> list[str]:
    """Sentences of flowing text; a dot within a code span, a number or an abbreviation ends none."""
    return [part.strip() for part in re.split(r"(?<=[.;])\s+(?=[`A-Z])", " ".join(text.split())) if part.strip()]
