"""What the request path stands on in one process: the catalogue and the model, and those that experiments need beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_view import catalogue_view
from rayapp.serving.live.item_index import ItemIndex
from rayapp.serving.live.live_experiments import LiveExperiments
from rayapp.serving.live.model_host import ModelHost, Served
from rayapp.serving.live.variant import CURRENT, DEFAULT, Variant
from rayapp.stores.registry import Manifest, Registry, RegistryError
from rayapp.stores.valkey.client import wait_for_store
from rayapp.stores.valkey.experiments import ExperimentStore
from rayapp.stores.valkey.items import ItemReader


class Engine:
    """Catalogues by moderation, and on each of them models; the configured ones always, others while an arm names them.

    A catalogue without moderation is a whole one of its own: what reads the configured one cannot meet a note that is
    withheld there, whatever experiments run.
    """

    def __init__(self, config: Config, on_swap: Callable[[Manifest], None] | None = None) -> None:
        self.config = config
        self.on_swap = on_swap
        self.store = wait_for_store(config.store_url, 60)
        self.lock = threading.RLock()
        self.catalogues: dict[str, LiveCatalogue] = {}
        self.hosts: dict[Variant, ModelHost] = {}
        self.opened: list[Callable[[str, LiveCatalogue], None]] = []  # hear of every catalogue that is new
        self.catalogue = self.catalogue_of(DEFAULT.moderation)
        self.host = self._open(DEFAULT)
        self.experiments = LiveExperiments(ExperimentStore(self.store), self.hold)
        self.experiments.start()

    def catalogue_of(self, moderation: str) -> LiveCatalogue:
        """Opened where it is not yet. Raises UserError."""
        found = self.catalogues.get(moderation)
        if found is not None:  # requests never wait for the lock, under which others are loaded
            return found
        with self.lock:
            if moderation not in self.catalogues:
                found = LiveCatalogue(ItemReader(self.store), catalogue_view(self.config, moderation))
                found.load()
                for opened in self.opened:
                    opened(moderation, found)
                found.start()
                self.catalogues[moderation] = found
            return self.catalogues[moderation]

    def served(self, variant: Variant = DEFAULT) -> Served:
        """Raises RegistryError."""
        current = self._host(variant).current
        if current is None:
            name, wanted = variant.pointer(self.config.name)
            raise RegistryError(f"no version of {name}{'' if wanted == CURRENT else f'@{wanted}'} is there yet")
        return current

    def index(self, name: str, variant: Variant = DEFAULT) -> ItemIndex:
        """The item index that a request is pinned to. Raises RegistryError."""
        return self._host(variant).index(name)

    def hold(self, variants: Iterable[Variant]) -> dict[Variant, str]:
        """Have these ready beside the configured one, and close all others. Returns why some cannot be had."""
        wanted = {DEFAULT, *variants}
        # A tower looks items up in the moderated catalogue, whatever the retriever searches.
        wanted |= {variant._replace(moderation="") for variant in wanted}
        missing = {}
        for variant in sorted(wanted):
            try:
                self.served(variant)
            except (UserError, OSError) as error:
                missing[variant] = str(error)
        with self.lock:
            for variant in [v for v in self.hosts if v not in wanted]:
                self.hosts.pop(variant).close()
            used = {variant.moderation for variant in wanted}
            for moderation in [m for m in self.catalogues if m not in used]:
                self.catalogues.pop(moderation).close()
        return missing

    def _host(self, variant: Variant) -> ModelHost:
        found = self.hosts.get(variant)
        if found is not None:
            return found
        with self.lock:
            return self.hosts.get(variant) or self._open(variant)

    def _open(self, variant: Variant) -> ModelHost:
        name, wanted = variant.pointer(self.config.name)
        own = name == self.config.name
        host = ModelHost(
            Registry(self.config.models, name),
            self.catalogue_of(variant.moderation),
            self.config.serving.poll_s,
            self.on_swap if variant == DEFAULT else None,
            wanted,
            "" if own else name,
        )
        host.load()
        host.start()
        self.hosts[variant] = host
        return host

    def close(self) -> None:
        self.experiments.close()
        with self.lock:
            for host in self.hosts.values():
                host.close()
            for catalogue in self.catalogues.values():
                catalogue.close()
