"""Reading back what is stored: an entry that cannot be read is skipped and named, and takes nothing else with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeVar

import msgspec
import numpy as np

log = logging.getLogger(__name__)
T = TypeVar("T")
_named: set[str] = set()  # entries that were named already, so that a log does not fill
MOST_NAMED = 1000


def readable(decoder: msgspec.json.Decoder[T], raw: bytes, what: str) -> T | None:
    """The entry; None, and a line in the log once a process, if it cannot be read (damaged, or of another version)."""
    try:
        return decoder.decode(raw)
    except Exception as error:  # whatever a record's own checks raise, the entries beside it must be read
        _left_out(what, error)
        return None


def text(raw: bytes, what: str) -> str | None:
    """A key, member or name; None, and a line in the log, if it is not UTF-8: then nothing of ours has it."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        _left_out(f"{what} {raw[:60]!r}", error)
        return None


def texts(raw: Iterable[bytes], what: str) -> list[str]:
    """Those that can be read."""
    return [found for one in raw if (found := text(one, what)) is not None]


def vector(raw: bytes, what: str) -> np.ndarray | None:
    """float32 [E] of float16; None, and a line in the log, for bytes that are none or hold no finite numbers."""
    try:
        found = np.frombuffer(raw, dtype=np.float16).astype(np.float32)
        if not len(found) or not np.isfinite(found).all():
            raise ValueError("a vector has one or more finite numbers")
    except ValueError as error:
        _left_out(what, error)
        return None
    return found


def _left_out(what: str, error: Exception) -> None:
    if what not in _named and len(_named) < MOST_NAMED:
        _named.add(what)
        log.error("the store's %s cannot be read and is left out: %s", what, error)
