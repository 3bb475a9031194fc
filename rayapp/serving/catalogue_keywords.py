"""The words of the catalogue, one BM25 index a kind, kept up to date with it."""

from __future__ import annotations

from rayapp.retrieval.keywords import KeywordIndex
from rayapp.serving.catalogue import LiveCatalogue
from rayapp.stores.items import StoredItem


class CatalogueKeywords:
    """Follows the catalogue from its construction on."""

    def __init__(self, catalogue: LiveCatalogue) -> None:
        self.kinds = {"note": KeywordIndex(), "ad": KeywordIndex()}
        with catalogue.lock:
            for kind, index in self.kinds.items():
                index.change({i.item_id: i.text for i in catalogue.items.values() if i.kind == kind})
            catalogue.listeners.append(self.apply)

    def apply(self, changes: list[StoredItem]) -> None:
        """What is None is gone; an item may have changed its kind."""
        for kind, index in self.kinds.items():
            put = {c.item_id: c.item.text for c in changes if c.item is not None and c.item.kind == kind}
            index.change(put, [c.item_id for c in changes if c.item_id not in put])
