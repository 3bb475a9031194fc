"""Experiments over HTTP: checked against what this system has, begun, listed, stopped, reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

import msgspec
import yaml

from rayapp.config import Config
from rayapp.errors import Unavailable, UserError
from rayapp.experiments.experiment import Experiment, ExperimentError, parse_experiment
from rayapp.experiments.lifecycle import Change, Started
from rayapp.serving.errors import ApiError
from rayapp.serving.live.catalogue_view import catalogue_view
from rayapp.serving.live.variant import CURRENT, Variant
from rayapp.stores.registry import Registry, RegistryError
from rayapp.stores.valkey.client import connect
from rayapp.stores.valkey.experiments import ExperimentStore

LARGEST = 64 * 1024  # bytes of an experiment
STATUS = {"created": 201, "grown": 200, "unchanged": 200}
Found = TypeVar("Found")


class ReportPending(Unavailable):
    """A long log is being read for the first time."""

    code: ClassVar[str] = "report_pending"
    field: str | None = "name"
    retry_after: ClassVar[int] = 5


class ExperimentDesk:
    """The store's client is one for threads: changes are rare and may wait for each other."""

    def __init__(self, config: Config, reports: Any) -> None:
        """`reports`: `Reports`, here or in another deployment."""
        self.config = config
        self.reports = reports
        self.store = ExperimentStore(connect(config.store_url))
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="experiments")

    async def create(self, text: bytes) -> tuple[int, dict[str, Any]]:
        """(status, answer): 201 for a new one, 200 for one that runs, with the same or more coverage."""
        if len(text) > LARGEST:
            raise ApiError(413, f"the experiment has {len(text):,} bytes, at most {LARGEST:,}")
        change: Change = await self._run(lambda: self._create(text))
        return STATUS[change.outcome], {"outcome": change.outcome, **_as_json(change.started)}

    async def stop(self, name: str) -> dict[str, Any]:
        change = await self._run(lambda: self.store.stop(name))
        return {"outcome": change.outcome, **_as_json(change.started)}

    async def all(self) -> list[dict[str, Any]]:
        return [_as_json(started) for started in await self._run(self.store.all)]

    async def report(self, name: str) -> dict[str, Any]:
        """Raises ReportPending while a long log is being read for the first time."""
        started = await self._run(lambda: self.store.get(name))
        found = await self.reports.report(name)
        if found is None:
            raise ReportPending(f"the log since {name} began is being read; ask again")
        return {"started_ms": started.started_ms, "stopped_ms": started.stopped_ms, **found}

    def _create(self, text: bytes) -> Change:
        experiment = _parsed(text)
        self._check(experiment)
        return self.store.create(experiment)

    def _check(self, experiment: Experiment) -> None:
        """Everything that arms name is there. Raises ExperimentError."""
        for scenario in experiment.scenarios:
            if scenario not in self.config.scenarios:
                raise ExperimentError(
                    f"experiment {experiment.name}: scenario {scenario!r} is unknown; use {', '.join(self.config.scenarios)}"
                )
        for arm in experiment.arms:
            try:
                for variant in Variant.all_of(arm.params):
                    self._check_variant(variant)
            except UserError as error:
                raise ExperimentError(f"experiment {experiment.name}, arm {arm.name}: {error}") from None
            if arm.params.llm and not self.config.llm.enabled:
                raise ExperimentError(
                    f"experiment {experiment.name}, arm {arm.name}: llm: this system runs without its language model"
                )

    def _check_variant(self, variant: Variant) -> None:
        """Raises UserError."""
        name, wanted = variant.pointer(self.config.name)
        if wanted != CURRENT or name != self.config.name:
            registry = Registry(self.config.models, name)
            manifest = registry.manifest(registry.resolve(wanted))
            if not manifest.usable:
                raise RegistryError(f"{name}@{manifest.version} was rejected: {manifest.gate}")
        catalogue_view(self.config, variant.moderation)

    async def _run(self, step: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self.pool, step)


def _parsed(text: bytes) -> Experiment:
    """JSON or YAML; without aliases, by which a few lines of YAML grow beyond any memory. Raises ExperimentError."""
    try:
        aliases = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ExperimentError(f"experiment: neither JSON nor YAML: {str(error).splitlines()[0]}") from None
    if aliases:
        raise ExperimentError("experiment: YAML aliases (*name) are not read; write the value out")
    return parse_experiment(text)


def _as_json(started: Started) -> dict[str, Any]:
    return {
        "experiment": msgspec.to_builtins(started.experiment),
        "started_ms": started.started_ms,
        "stopped_ms": started.stopped_ms,
        "running": started.running,
    }
