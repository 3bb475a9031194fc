"""The versions a replica holds, and the swap from one to the next between requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from rayapp.redrec.model.artifact import ItemSpace, load_user_side
from rayapp.redrec.model.history import tower_input, user_interests
from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.item_vectors import load_index_delta
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.item_index import ItemIndex
from rayapp.serving.live.variant import CURRENT
from rayapp.stores.registry import Manifest, Registry, RegistryError

log = logging.getLogger("ray.serve")


class Served:
    """One version ready to answer: user side and item index, never mixed with another's."""

    def __init__(self, name: str, version: int, manifest: Manifest, user: UserSide, index: ItemIndex) -> None:
        """`name`: of the model line, empty for the configured one."""
        self.name = name
        self.version = version
        self.manifest = manifest
        self.user = user
        self.index = index

    @property
    def model_version(self) -> str:
        """As answers and exposures have it: the version, and for another line than the configured one its name."""
        return f"{self.name}@{self.version}" if self.name else str(self.version)

    @property
    def index_version(self) -> str:
        return self.index.version


class ModelHost:
    """Follows a pointer of one model: loads the new version beside the old one, warms it, swaps."""

    def __init__(
        self,
        registry: Registry,
        catalogue: LiveCatalogue,
        poll_s: float = 0.5,
        on_swap: Callable[[Manifest], None] | None = None,
        want: str = CURRENT,
        name: str = "",
    ) -> None:
        """`want`: CURRENT, an alias or a version; `name`: see Served."""
        self.registry = registry
        self.want = want
        self.name = name
        self.on_swap = on_swap
        self.catalogue = catalogue
        self.poll_s = poll_s
        self.current: Served | None = None
        self.previous: ItemIndex | None = None
        self.bad: set[int] = set()
        self._stop = threading.Event()

    def load(self) -> None:
        """Bring in what is wanted; where CURRENT is damaged, an older usable version."""
        wanted = int(self.want) if self.want.isdigit() else self.registry.pointer(self.want)
        if wanted is None or (self.current is not None and wanted == self.current.version):
            return
        older = (v for v in reversed(self.registry.versions()) if v < wanted)
        candidates = [wanted, *(older if self.want == CURRENT else ())]
        for version in candidates:
            if version in self.bad:
                continue
            if self.current is not None and version == self.current.version:
                return
            try:
                first = self.current is None
                self.current = self._load(version)
                if self.on_swap is not None and not first:
                    self.on_swap(self.current.manifest)
                return
            except RegistryError as error:
                self.bad.add(version)
                log.error("skipped a version: %s", error)

    def _load(self, version: int) -> Served:
        manifest = self.registry.manifest(version)
        if not manifest.usable:
            raise RegistryError(f"{self.registry.name}@{version} was rejected: {manifest.gate}")
        folder = self.registry.fetch(version)
        user = load_user_side(folder, manifest.config)
        learned = load_index_delta(folder)
        index = self._index_for(manifest, learned)
        if self.current is not None and index is not self.current.index:
            if self.previous is not None:
                self.previous.close()
            self.previous = self.current.index  # requests under way still use it
        served = Served(self.name, version, manifest, user, index)
        nothing = tower_input([], index.lookup, user.vocabulary, user.mixer)
        user_interests(user, [nothing], [user.vocabulary.query_scenarios("")])  # warm before the swap
        log.info("serving %s@%d (%s)", self.registry.name, version, manifest.gate)
        return served

    def _index_for(self, manifest: Manifest, learned: dict[str, np.ndarray]) -> ItemIndex:
        """The index held now if it is this version's too, the same with other learned ids, or one read anew."""
        name = f"{manifest.space}.{manifest.version}" if learned else manifest.space
        held = self.current.index if self.current is not None else None
        if held is None or held.space.name != manifest.space:
            folder = self.registry.space_folder(manifest.space)
            space = ItemSpace(folder, manifest.config)
            return ItemIndex.open(name, space, folder / "index", learned, self.catalogue)
        return held if held.name == name else held.with_learned(name, learned)

    def index(self, name: str) -> ItemIndex:
        """An item index by name: the served one, or the one before it for requests under way."""
        if self.current is not None and self.current.index.name == name:
            return self.current.index
        if self.previous is not None and self.previous.name == name:
            return self.previous
        raise RegistryError(f"item index {name} is not held any more; ask again")

    def follow(self) -> None:
        while not self._stop.wait(self.poll_s):
            try:
                self.load()
            except OSError as error:
                log.warning("registry is away: %s", error)

    def start(self) -> None:
        threading.Thread(target=self.follow, name="models", daemon=True).start()

    def close(self) -> None:
        """Stops following, and lets the catalogue go."""
        self._stop.set()
        for index in (self.current.index if self.current is not None else None, self.previous):
            if index is not None:
                index.close()

    def age_s(self) -> float:
        return time.time() - self.current.manifest.created_ms / 1000 if self.current else 0.0
