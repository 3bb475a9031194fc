"""Reading back what is stored: an entry that cannot be read is skipped and named, and takes nothing else with it."""

from __future__ import annotations

import logging
from typing import TypeVar

import msgspec

log = logging.getLogger(__name__)
T = TypeVar("T")
_named: set[str] = set()  # entries that were named already, so that a log does not fill
MOST_NAMED = 1000


def readable(decoder: msgspec.json.Decoder[T], raw: bytes, what: str) -> T | None:
    """The entry; None, and a line in the log once a process, if it cannot be read (damaged, or of another version)."""
    try:
        return decoder.decode(raw)
    except Exception as error:  # whatever a record's own checks raise, the entries beside it must be read
        if what not in _named and len(_named) < MOST_NAMED:
            _named.add(what)
            log.error("the store's %s cannot be read and is left out: %s", what, error)
        return None
