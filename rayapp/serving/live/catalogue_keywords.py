"""The words of the catalogue, one BM25 index a kind, kept up to date with it."""

from __future__ import annotations

import threading

from rayapp.domain import Kind
from rayapp.search.keywords import KeywordIndex
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.stores.records import StoredItem

EVERY_S = 0.5


class CatalogueKeywords:
    """Follows the catalogue from its construction on, `EVERY_S` behind it.

    A commit of the index costs tens of milliseconds however little changed, so changes are gathered; and most of them
    are verdicts, which change no word.
    """

    def __init__(self, catalogue: LiveCatalogue) -> None:
        self.catalogue = catalogue
        self.kinds = {kind: KeywordIndex() for kind in Kind}
        self.texts: dict[Kind, dict[str, str]] = {kind: {} for kind in self.kinds}  # what each index holds
        self.waiting: dict[str, tuple[Kind, str] | None] = {}  # item to kind and text; None: gone
        self.changing = threading.Lock()
        with catalogue.lock:
            self.waiting = {i.item_id: (i.kind, i.text) for i in catalogue.items.values()}
            catalogue.listeners.append(self.apply)
        self.flush()
        threading.Thread(target=self._follow, name="keywords", daemon=True).start()

    def apply(self, changes: list[StoredItem]) -> None:
        """Called with the catalogue's lock held."""
        for change in changes:
            item = change.item
            self.waiting[change.item_id] = (item.kind, item.text) if item is not None else None

    def flush(self) -> None:
        """Apply the gathered changes to the indexes."""
        with self.changing:
            with self.catalogue.lock:
                waiting, self.waiting = self.waiting, {}
            for kind, index in self.kinds.items():
                held = self.texts[kind]
                own = {i: about[1] for i, about in waiting.items() if about is not None and about[0] == kind}
                put = {i: text for i, text in own.items() if held.get(i) != text}
                gone = [i for i in waiting if i in held and i not in own]
                if put or gone:
                    index.change(put, gone)
                    held.update(put)
                    for item_id in gone:
                        del held[item_id]

    def search(self, kind: Kind, terms: dict[str, float], k: int, excluded: frozenset[str]) -> list[str]:
        """Ids of the k best, best first; only items that the catalogue shows now."""
        hits = self.kinds[kind].search(terms, k, excluded)
        return [item_id for item_id, _ in hits if item_id in self.catalogue.items]

    def _follow(self) -> None:
        while not self.catalogue.closed.wait(EVERY_S):
            self.flush()
