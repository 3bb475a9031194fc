"""The versions a replica holds, and the swap from one to the next between requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rayapp.redrec.artifact import ItemSpace, load_user_side
from rayapp.redrec.history_input import tower_input, user_interests
from rayapp.redrec.model import UserSide
from rayapp.retrieval.snapshot import Snapshot
from rayapp.serving.catalogue import LiveCatalogue
from rayapp.stores.items import StoredItem
from rayapp.stores.registry import Manifest, Registry, RegistryError

log = logging.getLogger("ray.serve")


class ItemIndex:
    """Item vectors of one space, one FAISS snapshot a kind, kept up to date with the catalogue."""

    def __init__(self, name: str, space: ItemSpace, saved: Path, catalogue: LiveCatalogue) -> None:
        self.name = name
        self.space = space
        self.catalogue = catalogue
        with catalogue.lock:
            stored, about = Snapshot.load(saved)
            del about
            ids, contents = catalogue.contents()
            changed = [n for n, i in enumerate(ids) if i not in stored]
            if changed:
                stored.put([ids[n] for n in changed], space.project(contents[changed], [ids[n] for n in changed]))
            self.kinds: dict[str, Snapshot] = {}
            # Beside the index: a request looks up fifty items of its history, and FAISS gives them back one lock at a time.
            self.vectors: dict[str, np.ndarray] = dict(zip(ids, stored.vectors(ids), strict=True))
            for kind in ("note", "ad"):
                own = [i for i in ids if catalogue.items[i].kind == kind]
                self.kinds[kind] = Snapshot.build(own, stored.vectors(own))
            catalogue.listeners.append(self.apply)

    def apply(self, changes: list[StoredItem]) -> None:
        """Called by the catalogue for every change."""
        for index in self.kinds.values():
            index.remove([c.item_id for c in changes])
        for change in changes:
            if change.item is None:
                self.vectors.pop(change.item_id, None)
        for kind, index in self.kinds.items():
            own = [c for c in changes if c.item is not None and c.content is not None and c.item.kind == kind]
            if own:
                ids = [c.item_id for c in own]
                vectors = self.space.project(np.stack([c.content for c in own if c.content is not None]), ids)
                index.put(ids, vectors)
                self.vectors.update(zip(ids, vectors, strict=True))

    @property
    def version(self) -> str:
        """Names the space and the last catalogue change applied."""
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
            self.catalogue.listeners.remove(self.apply)


class Served:
    """One version ready to answer: user side and item index, never mixed with another's."""

    def __init__(self, version: int, manifest: Manifest, user: UserSide, index: ItemIndex) -> None:
        self.version = version
        self.manifest = manifest
        self.user = user
        self.index = index

    @property
    def model_version(self) -> str:
        return str(self.version)

    @property
    def index_version(self) -> str:
        return self.index.version


class ModelHost:
    """Follows CURRENT of one model: loads the new version beside the old one, warms it, swaps."""

    def __init__(self, registry: Registry, catalogue: LiveCatalogue, poll_s: float = 0.5) -> None:
        self.registry = registry
        self.catalogue = catalogue
        self.poll_s = poll_s
        self.current: Served | None = None
        self.previous: ItemIndex | None = None
        self.bad: set[int] = set()
        self._stop = threading.Event()

    def load(self) -> None:
        """Bring CURRENT in, falling back to older usable versions when it is damaged."""
        wanted = self.registry.pointer("CURRENT")
        if wanted is None or (self.current is not None and wanted == self.current.version):
            return
        candidates = [wanted, *(v for v in reversed(self.registry.versions()) if v < wanted)]
        for version in candidates:
            if version in self.bad:
                continue
            if self.current is not None and version == self.current.version:
                return
            try:
                self.current = self._load(version)
                return
            except RegistryError as error:
                self.bad.add(version)
                log.error("skipped a version: %s", error)

    def _load(self, version: int) -> Served:
        manifest = self.registry.manifest(version)
        if not manifest.usable:
            raise RegistryError(f"{self.registry.name}@{version} was rejected: {manifest.gate}")
        user = load_user_side(self.registry.fetch(version), manifest.config)
        old = self.current
        if old is not None and old.manifest.space == manifest.space:
            index = old.index
        else:
            folder = self.registry.space_folder(manifest.space)
            space = ItemSpace(folder, manifest.config)
            index = ItemIndex(manifest.space, space, folder / "index", self.catalogue)
            if self.previous is not None:
                self.previous.close()
            self.previous = old.index if old is not None else None  # requests under way still use it
        served = Served(version, manifest, user, index)
        nothing = tower_input([], index.lookup, user.vocabulary, user.config.length)
        user_interests(user, [nothing], [user.vocabulary.query_scenarios("")])  # warm before the swap
        log.info("serving %s@%d (%s)", self.registry.name, version, manifest.gate)
        return served

    def index(self, space: str) -> ItemIndex:
        """The item index of a space: the served one, or the one before it for requests under way."""
        if self.current is not None and self.current.manifest.space == space:
            return self.current.index
        if self.previous is not None and self.previous.name == space:
            return self.previous
        raise RegistryError(f"space {space} is not held any more; ask again")

    def follow(self) -> None:
        while not self._stop.wait(self.poll_s):
            try:
                self.load()
            except OSError as error:
                log.warning("registry is away: %s", error)

    def start(self) -> None:
        threading.Thread(target=self.follow, name="models", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def age_s(self) -> float:
        return time.time() - self.current.manifest.created_ms / 1000 if self.current else 0.0
