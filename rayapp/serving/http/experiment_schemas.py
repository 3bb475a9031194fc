"""Experiments as the HTTP surface answers them."""

from __future__ import annotations

import msgspec

from rayapp.experiments.experiment import Experiment
from rayapp.experiments.lifecycle import Change, Started
from rayapp.experiments.report import Report


class StartedExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """Times in milliseconds since the epoch; `stopped_ms` null while it runs."""

    experiment: Experiment
    started_ms: int
    stopped_ms: int | None
    running: bool

    @staticmethod
    def of(started: Started) -> StartedExperiment:
        return StartedExperiment(
            experiment=started.experiment,
            started_ms=started.started_ms,
            stopped_ms=started.stopped_ms,
            running=started.running,
        )


class ExperimentChange(StartedExperiment, frozen=True, kw_only=True):
    """`outcome`: created, grown (in coverage), unchanged, stopped or removed."""

    outcome: str

    @classmethod
    def after(cls, change: Change) -> ExperimentChange:
        started = change.started
        return cls(
            experiment=started.experiment,
            started_ms=started.started_ms,
            stopped_ms=started.stopped_ms,
            running=started.running,
            outcome=change.outcome,
        )


class ExperimentList(msgspec.Struct, frozen=True):
    experiments: list[StartedExperiment]

    @classmethod
    def of(cls, started: list[Started]) -> ExperimentList:
        return cls([StartedExperiment.of(experiment) for experiment in started])


class ExperimentReport(Report, frozen=True, kw_only=True):
    """A report with the time it covers."""

    started_ms: int
    stopped_ms: int | None

    @classmethod
    def of(cls, started: Started, report: Report) -> ExperimentReport:
        fields = {name: getattr(report, name) for name in report.__struct_fields__}
        return cls(started_ms=started.started_ms, stopped_ms=started.stopped_ms, **fields)
