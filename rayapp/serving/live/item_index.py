"""Item vectors of one space in a replica, with what a version's ids have learned on top."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rayapp.domain import Kind
from rayapp.redrec.model.artifact import ItemSpace
from rayapp.retrieval.snapshot import Snapshot
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.stores.records import StoredItem


class ItemIndex:
    """One FAISS snapshot a kind, kept up to date with the catalogue until `close`.

    `name` is what a request is pinned to: the space, and the version whose
    learned ids it has, if any.
    """

    def __init__(
        self,
        name: str,
        space: ItemSpace,
        *,
        vectors: dict[str, np.ndarray],
        learned: dict[str, np.ndarray],
        catalogue: LiveCatalogue,
    ) -> None:
        """`vectors` of the whole catalogue by content; the catalogue's lock must be held."""
        self.name = name
        self.space = space
        self.catalogue = catalogue
        self.content = vectors
        self.learned = learned
        # Beside the index: a request looks up fifty items of its history, and FAISS gives them back one lock at a time.
        self.vectors = {i: learned.get(i, v) for i, v in vectors.items()}
        self.kinds: dict[Kind, Snapshot] = {}
        for kind in Kind:
            ids = [i for i in self.vectors if catalogue.items[i].kind == kind]
            rows = np.stack([self.vectors[i] for i in ids]) if ids else np.empty((0, space.dim), np.float32)
            self.kinds[kind] = Snapshot.build(ids, rows)
        catalogue.listeners.append(self.apply)

    @classmethod
    def open(
        cls, name: str, space: ItemSpace, *, saved: Path, learned: dict[str, np.ndarray], catalogue: LiveCatalogue
    ) -> ItemIndex:
        """From the snapshot saved with the space; what the catalogue has beyond it is projected."""
        with catalogue.lock:
            stored, _about = Snapshot.load(saved)
            ids, contents = catalogue.contents()
            changed = [n for n, i in enumerate(ids) if i not in stored]
            if changed:
                stored.put([ids[n] for n in changed], space.project(contents[changed], [ids[n] for n in changed]))
            vectors = dict(zip(ids, stored.vectors(ids), strict=True))
            return cls(name, space, vectors=vectors, learned=learned, catalogue=catalogue)

    def with_learned(self, name: str, learned: dict[str, np.ndarray]) -> ItemIndex:
        """The same catalogue with another version's ids, beside this one."""
        with self.catalogue.lock:
            vectors = dict(self.content)
            return ItemIndex(name, self.space, vectors=vectors, learned=learned, catalogue=self.catalogue)

    def apply(self, changes: list[StoredItem]) -> None:
        """Called by the catalogue for every change."""
        for index in self.kinds.values():
            index.remove([c.item_id for c in changes])
        for change in changes:
            if change.item is None:
                self.vectors.pop(change.item_id, None)
                self.content.pop(change.item_id, None)
        for kind, index in self.kinds.items():
            present = [c for c in changes if c.item is not None and c.content is not None and c.item.kind == kind]
            if present:
                ids = [c.item_id for c in present]
                contents = self.space.project(np.stack([c.content for c in present if c.content is not None]), ids)
                self.content.update(zip(ids, contents, strict=True))
                pairs: list[tuple[str, np.ndarray]] = list(zip(ids, contents, strict=True))
                vectors = np.stack([self.learned.get(i, content) for i, content in pairs])
                index.put(ids, vectors)
                self.vectors.update(zip(ids, vectors, strict=True))

    @property
    def version(self) -> str:
        """Names the index and the last catalogue change applied."""
        return f"{self.name}.{self.catalogue.position}"

    def lookup(self, item_id: str) -> tuple[np.ndarray, str | None] | None:
        """Vector and own scenario of an item in the catalogue."""
        item = self.catalogue.items.get(item_id)
        if item is None:
            return None
        vector = self.vectors.get(item_id)
        return None if vector is None else (vector, item.scenario)

    def present(self, ids: Iterable[str]) -> dict[str, np.ndarray]:
        """Vectors of those that are (still) there."""
        return {item_id: self.vectors[item_id] for item_id in ids if item_id in self.vectors}

    def close(self) -> None:
        with self.catalogue.lock:
            if self.apply in self.catalogue.listeners:
                self.catalogue.listeners.remove(self.apply)
