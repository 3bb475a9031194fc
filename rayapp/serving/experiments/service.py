"""Experiments: checked against what this system has, then started, listed, stopped and reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Protocol, TypeVar

from rayapp.config import Config
from rayapp.errors import Unavailable, UserError
from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import MAX_BYTES, Experiment, ExperimentError, parse_experiment
from rayapp.experiments.lifecycle import Change, Started, check
from rayapp.experiments.report import Report
from rayapp.serving.live.catalogue_view import catalogue_view
from rayapp.serving.live.variant import CURRENT, Variant
from rayapp.stores.open import open_store
from rayapp.stores.registry import Registry, RegistryError

Result = TypeVar("Result")


class ReportPending(Unavailable):
    """A long log is being read for the first time."""

    code: ClassVar[str] = "report_pending"
    field: str | None = "name"
    retry_after: ClassVar[int] = 5


class TooLarge(UserError):
    """An experiment has more bytes than any needs."""

    code: ClassVar[str] = "too_large"


class ReportReader(Protocol):
    async def report(self, name: str) -> Report | None:
        """None when reading the log takes longer than a client should wait."""
        ...


class ExperimentService:
    """The store's client is one for threads: changes are rare and may wait for each other."""

    def __init__(self, config: Config, reports: ReportReader, *, rankers: tuple[str, ...]) -> None:
        """`reports`: here or in another deployment. `rankers`: what an arm may ask for."""
        self.config = config
        self.reports = reports
        self.rankers = rankers
        self.store = open_store(config.store_url).experiments()
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="experiments")

    async def create(self, text: bytes) -> Change:
        """Start one, or increase the coverage of a running one. Raises ExperimentError, Conflict, TooLarge."""
        if len(text) > MAX_BYTES:
            raise TooLarge(f"the experiment has {len(text):,} bytes, at most {MAX_BYTES:,}; shorten it")
        return await self._run(lambda: self._create(text))

    async def stop(self, name: str) -> Change:
        """Raises UnknownExperiment."""
        return await self._run(lambda: self.store.stop(name))

    async def remove(self, name: str) -> Change:
        """Raises UnknownExperiment, ExperimentConflict while it runs."""
        return await self._run(lambda: self.store.remove(name))

    async def all(self) -> list[Started]:
        """Newest first."""
        return await self._run(self.store.all)

    async def report(self, name: str) -> tuple[Started, Report]:
        """Raises UnknownExperiment, ReportPending while a long log is being read for the first time."""
        started = await self._run(lambda: self.store.get(name))
        report = await self.reports.report(name)
        if report is None:
            raise ReportPending(f"the log since {name} began is being read; ask again")
        return started, report

    def _create(self, text: bytes) -> Change:
        experiment = parse_experiment(text)
        check(experiment)  # before its names are looked up anywhere
        self._check(experiment)
        return self.store.create(experiment)

    def _check(self, experiment: Experiment) -> None:
        """Everything that arms name is there. Raises ExperimentError."""
        for scenario in experiment.scenarios:
            if scenario not in self.config.scenarios:
                known = ", ".join(self.config.scenarios)
                raise ExperimentError(f"experiment {experiment.name}: scenario {scenario!r} is unknown; use {known}")
        for arm in experiment.arms:
            try:
                self._check_rankers(arm.params)
                for variant in Variant.all_of(arm.params):
                    self._check_variant(variant)
            except UserError as error:
                raise ExperimentError(f"experiment {experiment.name}, arm {arm.name}: {error}") from None
            if arm.params.llm and not self.config.llm.enabled:
                raise ExperimentError(
                    f"experiment {experiment.name}, arm {arm.name}: llm: this system runs without its language model"
                )

    def _check_rankers(self, params: ArmParams) -> None:
        other = params.interleave.ranker if params.interleave is not None else None
        for ranker in (params.ranker, other):
            if ranker is not None and ranker not in self.rankers:
                raise ExperimentError(f"ranker {ranker!r} is unknown; use {', '.join(self.rankers)}")

    def _check_variant(self, variant: Variant) -> None:
        """Raises UserError."""
        name, wanted = variant.pointer(self.config.name)
        if wanted != CURRENT or name != self.config.name:
            registry = Registry(self.config.models, name)
            manifest = registry.manifest(registry.resolve(wanted))
            if not manifest.usable:
                raise RegistryError(f"{name}@{manifest.version} was rejected: {manifest.gate}")
        catalogue_view(self.config, variant.moderation)

    async def _run(self, step: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.pool, step)
