"""What the language model made of a search query."""

from __future__ import annotations

from typing import NamedTuple

from rayapp.search.understanding import Understanding


class Understood(NamedTuple):
    """`source`: redone, or none where the deadline passed or there is no model."""

    what: Understanding = Understanding()
    source: str = "none"
    cached: bool = False
