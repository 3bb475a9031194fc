"""A replica's copy of the catalogue: item records and content vectors, kept up to date from the change stream."""

from __future__ import annotations

import heapq
import logging
import threading
from collections import Counter
from collections.abc import Callable

import numpy as np

from rayapp.domain import Decision, Item, Kind, Verdict
from rayapp.retrieval.snapshot import Snapshot
from rayapp.serving.live.catalogue_view import AS_JUDGED, CatalogueView
from rayapp.serving.live.heartbeat import Heartbeat
from rayapp.stores.ports import CatalogueFeed, ChangesLost, StoreUnreachable
from rayapp.stores.records import StoredItem

NEWEST = 500
log = logging.getLogger("ray.serve")
Listener = Callable[[list[StoredItem]], None]


class LiveCatalogue:
    """Items by id, content vectors for text search, and listeners that are called for every change (the item indexes).

    Items whose verdict blocks or holds them are in `withheld` only, so retrieval
    never sees them. Limited items are everywhere, and in `limited`.
    """

    def __init__(self, reader: CatalogueFeed, view: CatalogueView = AS_JUDGED) -> None:
        self.reader = reader
        self.view = view
        self.items: dict[str, Item] = {}
        self.withheld: dict[str, Item] = {}
        self.limited: frozenset[str] = frozenset()
        self.verdicts: dict[str, Verdict] = {}
        self.content: dict[Kind, Snapshot] = {}
        self.position = "0-0"
        self.listeners: list[Listener] = []
        self.lock = threading.RLock()  # held while a change is applied to everything
        self._newest: dict[Kind, list[str]] = {}
        self.closed = threading.Event()
        self.followed = Heartbeat("catalogue")
        self.dim = 0  # of content vectors: what most of the first ones have

    def load(self) -> None:
        """Read everything that is stored; changes made meanwhile are in the stream after `position`."""
        position = self.reader.position()
        stored: set[str] = set()
        for page in self.reader.scan():
            self.apply_each(page)
            stored.update(change.item_id for change in page)
        with self.lock:  # what was deleted while changes were lost
            gone = [item_id for item_id in (*self.items, *self.withheld) if item_id not in stored]
        self.apply_each([StoredItem(item_id, None, None) for item_id in gone])
        self.position = position

    def follow(self) -> None:
        """Apply changes until `close`. Nothing ends it: a catalogue that is followed no more would show what was
        blocked."""
        while not self.closed.is_set():
            try:
                self.look()
                self.followed.beat()
            except StoreUnreachable:
                self.closed.wait(0.5)  # health is the store's own then
                self.followed.beat()
            except Exception:
                log.exception("the catalogue's changes after %s could not be applied", self.position)
                self.closed.wait(1.0)

    def look(self) -> None:
        """Apply what changed since the last look; waits half a second for it. Raises StoreUnreachable."""
        try:
            position, ids = self.reader.changes(self.position, block_ms=500)
        except ChangesLost as error:
            log.warning("%s; reading the catalogue again", error)
            self.load()
            return
        if ids and not self.closed.is_set():
            for start in range(0, len(ids), 1000):
                self.apply_each(self.reader.fetch(ids[start : start + 1000]))
            self.position = position

    def apply_each(self, changes: list[StoredItem]) -> None:
        """Apply them; one that cannot be applied costs itself alone, and is shown no more."""
        try:
            self.apply(changes)
        except Exception:
            if len(changes) > 1:
                for start, end in ((0, len(changes) // 2), (len(changes) // 2, len(changes))):
                    self.apply_each(changes[start:end])
                return
            log.exception("item %r cannot be applied, and is left out", changes[0].item_id)
            if changes[0].item is not None:
                self.apply_each([StoredItem(changes[0].item_id, None, None)])

    def apply(self, changes: list[StoredItem]) -> None:
        with self.lock:
            if not self.dim:
                self.dim = _usual_length([c.content for c in changes if c.content is not None])
            changes = self._visible([self._readable(change) for change in changes])
            gone = [c.item_id for c in changes if c.item is None]
            shown = [c for c in changes if c.item is not None and c.content is not None]
            for item_id in gone:
                self.items.pop(item_id, None)
            for change in shown:
                assert change.item is not None
                self.items[change.item_id] = change.item
            for kind in Kind:
                of_kind = [c for c in shown if c.item is not None and c.item.kind == kind]
                index = self.content.get(kind)
                if index is not None:  # an item may have changed its kind
                    index.remove([*gone, *(c.item_id for c in shown)])
                if of_kind:
                    vectors = np.stack([c.content for c in of_kind if c.content is not None])
                    index = self.content.setdefault(kind, Snapshot(vectors.shape[1]))
                    index.put([c.item_id for c in of_kind], vectors)
            self._newest.clear()
            for listener in self.listeners:
                listener(changes)

    def _readable(self, change: StoredItem) -> StoredItem:
        """An item whose vector is another encoder's is left out: it has no place in an index."""
        if change.content is None or len(change.content) == self.dim:
            return change
        log.error(
            "item %r has a vector of %d numbers, the catalogue has %d: left out until it is encoded again",
            change.item_id, len(change.content), self.dim,
        )  # fmt: skip
        return StoredItem(change.item_id, None, None)

    def _visible(self, changes: list[StoredItem]) -> list[StoredItem]:
        """The changes as retrieval may see them: withheld items appear deleted."""
        limited, seen = set(self.limited), []
        for change in changes:
            item_id, item, verdict = change.item_id, change.item, change.verdict
            self.withheld.pop(item_id, None)
            self.verdicts.pop(item_id, None)
            limited.discard(item_id)
            if item is not None and verdict is not None:
                self.verdicts[item_id] = verdict
            decision = self.view.decide(verdict) if verdict is not None else self.view.pending
            if item is not None and decision in (Decision.BLOCK, Decision.HOLD):
                self.withheld[item_id] = item
                change = change._replace(item=None, content=None)
            elif item is not None and decision is Decision.LIMIT:
                limited.add(item_id)
            seen.append(change)
        if limited != self.limited:
            self.limited = frozenset(limited)
        return seen

    def find(self, item_id: str) -> Item | None:
        """An item by id, withheld or not."""
        return self.items.get(item_id) or self.withheld.get(item_id)

    def not_recommended(self, followed: frozenset[str]) -> frozenset[str]:
        """The limited items, except those of authors that the user follows."""
        if not followed or not self.limited:
            return self.limited
        known = ((i, self.items.get(i)) for i in self.limited)
        return frozenset(i for i, item in known if item is not None and item.author not in followed)

    def newest(self, kind: Kind) -> list[str]:
        """Ids of the newest items of a kind, newest first."""
        with self.lock:
            if kind not in self._newest:
                own = (i for i in self.items.values() if i.kind == kind and i.item_id not in self.limited)
                best = heapq.nlargest(NEWEST, own, key=lambda i: (i.timestamp_ms or 0, i.item_id))
                self._newest[kind] = [i.item_id for i in best]
            return self._newest[kind]

    def ids(self, kind: Kind) -> list[str]:
        with self.lock:
            return [i for i, item in self.items.items() if item.kind == kind]

    def contents(self) -> tuple[list[str], np.ndarray]:
        """Ids and content vectors of everything."""
        with self.lock:
            ids, parts = [], []
            for index in self.content.values():
                own = list(index.row_of)
                ids += own
                parts.append(index.vectors(own))
            return ids, np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def start(self) -> None:
        threading.Thread(target=self.follow, name="catalogue", daemon=True).start()

    def close(self) -> None:
        self.closed.set()


def _usual_length(vectors: list[np.ndarray]) -> int:
    """0 of none. A damaged vector that happens to come first must not shut out all others."""
    return Counter(map(len, vectors)).most_common(1)[0][0] if vectors else 0
