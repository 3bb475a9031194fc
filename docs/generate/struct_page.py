"""A page of tables from one Struct and all that it holds."""

from __future__ import annotations

import msgspec

from docs.generate.markdown import code, paragraph, table
from docs.generate.structs import Section, sections


def struct_tables(root: type[msgspec.Struct], page: str, heading: str = "##") -> list[str]:
    """A heading and a table for every Struct; the root's own keys come first."""
    parts: list[str] = []
    for section in sections(root, page):
        title = f"`{section.path}`" if section.path else "Top level"
        parts += [f"{heading} {title}", paragraph(section.summary), key_table(section)]
    return parts


def key_table(section: Section) -> str:
    return table(
        ("Key", "Type", "Default", "Description"),
        ((code(key.path), key.type, key.default, key.description) for key in section.keys),
    )
