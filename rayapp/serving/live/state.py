"""What a replica holds: catalogues by moderation, models, and the experiments that may ask for others of both."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.catalogue_keywords import CatalogueKeywords
from rayapp.serving.live.catalogue_view import catalogue_view
from rayapp.serving.live.live_experiments import LiveExperiments
from rayapp.serving.live.model_host import ModelHost
from rayapp.serving.live.scene import NoVersion, Pin, Scene, VersionGone
from rayapp.serving.live.served_version import ServedVersion
from rayapp.serving.live.variant import CURRENT, DEFAULT, Variant
from rayapp.stores.open import open_store
from rayapp.stores.registry import Manifest, Registry

log = logging.getLogger("ray.serve")
EXPERIMENT_S = 5.0  # between the first replica that holds an experiment's variants and the last
SETTLE_POLLS = 3  # a gateway whose tower and retriever are elsewhere swaps this many polls after it saw a version


class Unhealthy(UserError):
    """For Serve, which restarts the replica."""


class ServingState:
    """The configured catalogue and model always; others while a running experiment's arm names them.

    A catalogue without moderation is separate and complete: a reader of the configured one cannot meet a note that is
    withheld there, whatever experiments run. Only `hold` opens anything; `scene` looks up what is open.
    """

    def __init__(
        self,
        config: Config,
        *,
        on_swap: Callable[[Manifest], None] | None = None,
        searches: bool = True,
        swaps_last: bool = False,
        answers_others: bool = False,
    ) -> None:
        """`searches`: keep a keyword index a catalogue. `swaps_last`: tower and retriever are in other replicas, of
        which each is a state that `answers_others`."""
        self.config = config
        self.on_swap = on_swap
        self.searches = searches
        self.settle_s = SETTLE_POLLS * config.serving.poll_s if swaps_last else 0.0
        self.store = open_store(config.store_url, wait_s=60)
        self.catalogues: dict[str, LiveCatalogue] = {}
        self.keywords: dict[str, CatalogueKeywords] = {}
        self.hosts: dict[str, ModelHost] = {}  # by the arm's name of the model; empty for the configured one
        self._changing = threading.RLock()
        self._open_catalogue(DEFAULT.moderation)
        self._open_model(DEFAULT)
        self.experiments = LiveExperiments(
            self.store.experiments(),
            self.hold,
            begin_after_s=EXPERIMENT_S if swaps_last else 0.0,
            linger_s=EXPERIMENT_S if answers_others else 0.0,
        )
        self.experiments.start()

    @property
    def catalogue(self) -> LiveCatalogue:
        """As everybody sees it."""
        return self.catalogues[DEFAULT.moderation]

    @property
    def host(self) -> ModelHost:
        """Of the configured model."""
        return self.hosts[DEFAULT.model]

    def scene(self, variant: Variant = DEFAULT) -> Scene:
        """The newest version of what the variant names. Raises NoVersion."""
        host = self.hosts.get(variant.model)
        return self._scene(variant, None if host is None else host.current)

    def before(self, scene: Scene) -> Scene | None:
        """The scene of the version before, while it is held."""
        host = self.hosts.get(scene.variant.model)
        older = host.previous if host is not None else None
        if older is None or older.version == scene.model.version or scene.variant.moderation not in older.indexes:
            return None
        return self._scene(scene.variant, older)

    def at(self, pin: Pin) -> Scene:
        """The scene that another replica resolved. Raises VersionGone."""
        host = self.hosts.get(pin.variant.model)
        version = host.at(pin.version) if host is not None else None
        if version is None or pin.variant.moderation not in version.indexes:
            raise VersionGone(f"version {pin.version} of {pin.variant} is not held here; ask again")
        return self._scene(pin.variant, version)

    def hurry(self, scene: Scene) -> None:
        """Another replica holds neither the scene's version nor the one before: follow it at the next look."""
        host = self.hosts.get(scene.variant.model)
        if host is not None:
            host.hurry.set()

    def hold(self, variants: Iterable[Variant]) -> dict[Variant, str]:
        """Have these ready beside the configured one, and close all others. Returns why some cannot be had."""
        wanted = {DEFAULT, *variants}
        missing = {}
        for variant in sorted(wanted):
            try:
                with self._changing:
                    catalogue = self._open_catalogue(variant.moderation)
                    self._open_model(variant).show(variant.moderation, catalogue)
                self.scene(variant)
            except (UserError, OSError) as error:
                missing[variant] = str(error)
            except Exception as error:  # a damaged model of one arm must not keep the others from starting
                log.exception("%s cannot be served", variant)
                missing[variant] = f"{type(error).__name__}: {error}"
        with self._changing:
            for model in [m for m in self.hosts if m not in {v.model for v in wanted}]:
                self.hosts.pop(model).close()
            for model, host in self.hosts.items():
                for moderation in [m for m in host.catalogues if m and Variant(model, m) not in wanted]:
                    host.hide(moderation)
            for moderation in [m for m in self.catalogues if m not in {v.moderation for v in wanted}]:
                self.catalogues.pop(moderation).close()  # before its keywords: a scene reads them in the other order
                self.keywords.pop(moderation, None)
        return missing

    def check_health(self) -> None:
        """Raises Unhealthy when a thread that follows the store or the registry has stopped doing so."""
        if problems := self.problems():
            raise Unhealthy("; ".join(problems))

    def problems(self) -> list[str]:
        """What this replica should follow and does not: a restart is the remedy. Never waits."""
        beats = [catalogue.followed for catalogue in list(self.catalogues.values())]
        beats += [host.followed for host in list(self.hosts.values())]
        return [problem for beat in (*beats, self.experiments.followed) if (problem := beat.problem())]

    def close(self) -> None:
        self.experiments.close()
        with self._changing:
            for host in self.hosts.values():
                host.close()
            for catalogue in self.catalogues.values():
                catalogue.close()

    def _scene(self, variant: Variant, version: ServedVersion | None) -> Scene:
        keywords = self.keywords.get(variant.moderation)
        catalogue = self.catalogues.get(variant.moderation)
        index = version.indexes.get(variant.moderation) if version is not None else None
        if version is None or index is None or catalogue is None:
            name, pointer = variant.pointer(self.config.name)
            raise NoVersion(f"no version of {name}{'' if pointer == CURRENT else f'@{pointer}'} is there yet")
        return Scene(variant, version, index, catalogue, keywords)

    def _open_catalogue(self, moderation: str) -> LiveCatalogue:
        with self._changing:
            if moderation in self.catalogues:
                return self.catalogues[moderation]
            catalogue = LiveCatalogue(self.store.catalogue(), catalogue_view(self.config, moderation))
            catalogue.load()
            if self.searches:
                self.keywords[moderation] = CatalogueKeywords(catalogue)
            catalogue.start()
            self.catalogues[moderation] = catalogue
            return catalogue

    def _open_model(self, variant: Variant) -> ModelHost:
        with self._changing:
            if variant.model in self.hosts:
                return self.hosts[variant.model]
            name, pointer = variant.pointer(self.config.name)
            host = ModelHost(
                Registry(self.config.models, name),
                {DEFAULT.moderation: self.catalogue},
                name="" if name == self.config.name else name,
                pointer=pointer,
                poll_s=self.config.serving.poll_s,
                settle_s=self.settle_s,
                on_swap=self.on_swap if variant.model == DEFAULT.model else None,
            )
            host.load()
            host.start()
            self.hosts[variant.model] = host
            return host
