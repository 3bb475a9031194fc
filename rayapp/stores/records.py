"""What the store's operations take and return, whatever the backend."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec
import numpy as np

from rayapp.domain import Event, Item, Verdict


class UserState(NamedTuple):
    """What a request needs to know of its user."""

    events: list[Event]  # newest per scenario, oldest first over all
    seen: frozenset[str]
    hidden: frozenset[str]
    capped_ads: frozenset[str]


class StoredItem(NamedTuple):
    """An item as stored. `content`: float32 [E]. `item` and `content` are None once the item is deleted, `verdict` is
    None until it has been judged."""

    item_id: str
    item: Item | None
    content: np.ndarray | None
    verdict: Verdict | None = None


class Urgency(IntEnum):
    """Classes of the moderation queue, most urgent first; first come, first served within a class.

    OPEN: the classifier has judged it, the language model is still to be asked; nobody waits for it.
    """

    NOW = 0
    AGAIN = 1
    BULK = 2
    OPEN = 3


class Queued(NamedTuple):
    """An entry of the moderation queue. `ticket` identifies this entry: it changes when the note is queued again."""

    item_id: str
    ticket: bytes
    urgency: Urgency


class PostView(msgspec.Struct, frozen=True):
    """Queries that readers of a note would search next. `text_key` names the text that was read, `model_version` the
    model that read it."""

    text_key: str
    model_version: str
    queries: tuple[str, ...] = ()


class Wanted(NamedTuple):
    """An entry of the post-view queue; `requested` when a client is waiting for it."""

    item_id: str
    requested: bool
