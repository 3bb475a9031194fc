"""Follows one model's pointer: loads the new version beside the served one, warms it, swaps between requests."""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from rayapp.redrec.model.artifact import ItemSpace, load_user_side
from rayapp.redrec.model.history import tower_input, user_interests
from rayapp.redrec.online.item_vectors import load_index_delta
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.heartbeat import Heartbeat
from rayapp.serving.live.item_index import ItemIndex
from rayapp.serving.live.served_version import ServedVersion
from rayapp.serving.live.variant import CURRENT
from rayapp.stores.registry import VERSION, DamagedPointer, Manifest, Registry, RegistryError

log = logging.getLogger("ray.serve")


class ModelHost:
    """Holds the served version and the one before it, for requests that began with that."""

    def __init__(
        self,
        registry: Registry,
        catalogues: Mapping[str, LiveCatalogue],
        *,
        name: str = "",
        pointer: str = CURRENT,
        poll_s: float = 0.5,
        settle_s: float = 0.0,
        on_swap: Callable[[Manifest], None] | None = None,
    ) -> None:
        """`catalogues`: by moderation, each gets an index of the model. `name`: see ServedVersion.

        `pointer`: CURRENT, an alias or a version. `settle_s`: how long a new version waits before it is swapped in, so
        that the replicas which are asked for it have it first.
        """
        self.registry = registry
        self.catalogues = dict(catalogues)
        self.name = name
        self.want = pointer
        self.poll_s = poll_s
        self.settle_s = settle_s
        self.on_swap = on_swap
        self.current: ServedVersion | None = None
        self.previous: ServedVersion | None = None
        self.followed = Heartbeat(f"model {registry.name}")
        self.bad: set[int] = set()
        self.hurry = threading.Event()  # another replica refused the served version: do not wait for the next to settle
        self._seen: list[tuple[int, float]] = []  # versions that the pointer named, and when it was first seen to
        self._changing = threading.RLock()
        self._stop = threading.Event()

    def at(self, version: int) -> ServedVersion | None:
        """The served version or the one before it by number; None for any other."""
        for held in (self.current, self.previous):
            if held is not None and held.version == version:
                return held
        return None

    def load(self) -> None:
        """Bring in the version that is wanted; where CURRENT is damaged, an older usable one."""
        with self._changing:
            if self._stop.is_set():
                return
            wanted = self._wanted()
            if wanted is None or (self.current is not None and wanted == self.current.version):
                return
            older = (v for v in reversed(self.registry.versions()) if v < wanted)
            for version in (wanted, *(older if self.want == CURRENT else ())):
                if version in self.bad:
                    continue
                if self.current is not None and version == self.current.version:
                    return
                try:
                    self._swap(self._load(version))
                    return
                except RegistryError as error:
                    self.bad.add(version)
                    log.error("skipped a version: %s", error)

    def show(self, moderation: str, catalogue: LiveCatalogue) -> None:
        """Index one more moderated catalogue."""
        with self._changing:
            if moderation in self.catalogues:
                return
            if self.current is not None:
                index = self._read_index(self.current.manifest, catalogue, learned=self.current.index.learned)
                indexes = {**self.current.indexes, moderation: index}
                self.current = dataclasses.replace(self.current, indexes=indexes)
            self.catalogues[moderation] = catalogue

    def hide(self, moderation: str) -> None:
        """Forget a moderated catalogue."""
        with self._changing:
            self.catalogues.pop(moderation, None)
            held = [v for v in (self.current, self.previous) if v is not None and moderation in v.indexes]
            closing = {id(v.indexes[moderation]): v.indexes[moderation] for v in held}
            self.current, self.previous = (_without(v, moderation) for v in (self.current, self.previous))
            for index in closing.values():
                index.close()

    def follow(self) -> None:
        while not self._stop.wait(self.poll_s):
            try:
                self.load()
                self.followed.beat()
            except OSError as error:
                log.warning("registry is away: %s", error)
                self.followed.beat()
            except Exception:  # whatever one version does, the next look must follow
                log.exception("%s could not be followed", self.registry.name)

    def start(self) -> None:
        threading.Thread(target=self.follow, name="models", daemon=True).start()

    def close(self) -> None:
        """Stop following the registry and the catalogues."""
        self._stop.set()
        with self._changing:
            for index in _indexes(self.current, self.previous).values():
                index.close()

    def age_s(self) -> float:
        return time.time() - self.current.manifest.created_ms / 1000 if self.current else 0.0

    def _wanted(self) -> int | None:
        """The newest version that the pointer has named for `settle_s`; without a served one, the newest."""
        named = self._named()
        if named is None or self.current is None or self.hurry.is_set():
            self.hurry.clear()
            self._seen = [(named, -math.inf)] if named is not None else []
            return named
        now = time.monotonic()
        if not self._seen or self._seen[-1][0] != named:
            self._seen.append((named, now))
        settled = [n for n, (_, seen) in enumerate(self._seen) if now - seen >= self.settle_s]
        if not settled:
            return None
        self._seen = self._seen[settled[-1] :]
        return self._seen[0][0]

    def _named(self) -> int | None:
        """The version that the pointer names. Where CURRENT is damaged the served one stays, or, at the start, the
        newest usable one is taken; where another pointer is, its experiment waits. Raises RegistryError."""
        try:
            if VERSION.fullmatch(self.want):
                return int(self.want)
            return self.registry.pointer(self.want)
        except DamagedPointer as error:
            if self.want != CURRENT:
                raise
            log.error("%s", error)
            if self.current is not None:
                return self.current.version
            usable = (v for v in reversed(self.registry.versions()) if self.registry.manifest(v).usable)
            return next(usable, None)

    def _swap(self, new: ServedVersion) -> None:
        first, retired = self.current is None, self.previous
        self.previous, self.current = self.current, new
        kept = _indexes(self.current, self.previous)
        for key, index in _indexes(retired).items():
            if key not in kept:
                index.close()
        if self.on_swap is not None and not first:
            self.on_swap(new.manifest)

    def _load(self, version: int) -> ServedVersion:
        manifest = self.registry.manifest(version)
        if not manifest.usable:
            raise RegistryError(f"{self.registry.name}@{version} was rejected: {manifest.gate}")
        folder = self.registry.fetch(version)
        user = load_user_side(folder, manifest.config)
        learned = load_index_delta(folder)
        if not all(torch.isfinite(values).all() for values in user.state_dict().values()):
            raise RegistryError(f"{self.registry.name}@{version} has weights that are not finite; roll back")
        indexes: dict[str, ItemIndex] = {}
        try:
            for moderation in self.catalogues:
                indexes[moderation] = self._index(manifest, moderation, learned)
        except Exception:
            held = _indexes(self.current, self.previous)
            for index in indexes.values():
                if id(index) not in held:
                    index.close()
            raise
        served = ServedVersion(self.name, version, manifest, user, indexes)
        nothing = tower_input([], served.index.lookup, user.vocabulary, user.mixer)
        user_interests(user, [nothing], [user.vocabulary.query_scenarios("")])  # warm before the swap
        log.info("serving %s@%d (%s)", self.registry.name, version, manifest.gate)
        return served

    def _index(self, manifest: Manifest, moderation: str, learned: dict[str, np.ndarray]) -> ItemIndex:
        """The index held now if it is this version's too, the same with other learned ids, or one read anew."""
        held = self.current.indexes.get(moderation) if self.current is not None else None
        if held is None or held.space.name != manifest.space:
            return self._read_index(manifest, self.catalogues[moderation], learned=learned)
        name = _index_name(manifest, learned)
        return held if held.name == name else held.with_learned(name, learned)

    def _read_index(self, manifest: Manifest, catalogue: LiveCatalogue, *, learned: dict[str, np.ndarray]) -> ItemIndex:
        folder = self.registry.space_folder(manifest.space)
        space = ItemSpace(folder, manifest.config)
        name = _index_name(manifest, learned)
        return ItemIndex.open(name, space, saved=folder / "index", learned=learned, catalogue=catalogue)


def _index_name(manifest: Manifest, learned: dict[str, np.ndarray]) -> str:
    return f"{manifest.space}.{manifest.version}" if learned else manifest.space


def _without(version: ServedVersion | None, moderation: str) -> ServedVersion | None:
    if version is None:
        return None
    return dataclasses.replace(version, indexes={m: i for m, i in version.indexes.items() if m != moderation})


def _indexes(*versions: ServedVersion | None) -> dict[int, ItemIndex]:
    """Each index once, by identity: versions of one space share theirs."""
    return {id(index): index for version in versions if version is not None for index in version.indexes.values()}
