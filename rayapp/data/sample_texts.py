"""The texts of the sample world: notes and ads of thirty topics, and notes that moderation must find. Written by hand
for it; nothing here stands in any data set."""

from __future__ import annotations

import importlib.resources
from functools import cache
from typing import Literal

import msgspec


class SampleText(msgspec.Struct, frozen=True):
    """`thing`: what of its topic it is about. `label`: the category of a harmful note, whose topic is empty."""

    title: str
    body: str
    kind: Literal["note", "ad"] = "note"
    topic: str = ""
    thing: str = ""
    label: str = ""


@cache
def things() -> dict[str, tuple[str, ...]]:
    """By topic what its notes are about."""
    found: dict[str, dict[str, None]] = {}
    for text in sample_texts():
        if text.kind == "note" and text.topic:
            found.setdefault(text.topic, {})[text.thing] = None
    return {topic: tuple(named) for topic, named in found.items()}


@cache
def sample_texts() -> tuple[SampleText, ...]:
    """In the file's order: by topic, harmful ones at the end."""
    lines = (importlib.resources.files("rayapp.data") / "sample_texts.jsonl").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=SampleText) for line in lines)
