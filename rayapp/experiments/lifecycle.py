"""An experiment's life: created once, its coverage grown, stopped. Pure; the stores make each step atomic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from rayapp.errors import Conflict, NotFound
from rayapp.experiments.experiment import Experiment, ExperimentError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ExperimentConflict(ExperimentError, Conflict):
    """The request conflicts with an experiment that runs or ran; the text says with which, and what to do."""


class UnknownExperiment(ExperimentError, NotFound):
    """There is no such experiment."""

    field: str | None = "name"


class Started(msgspec.Struct, frozen=True):
    """An experiment and when it ran; times in milliseconds since the epoch."""

    experiment: Experiment
    started_ms: int
    stopped_ms: int | None = None

    @property
    def running(self) -> bool:
        return self.stopped_ms is None


class Change(NamedTuple):
    """`outcome`: created, grown (in coverage), stopped, or unchanged."""

    started: Started
    outcome: str


def check(experiment: Experiment) -> None:
    """Can it be stored and compared? Raises ExperimentError."""
    if not NAME.fullmatch(experiment.name):
        raise ExperimentError(
            f"experiment {experiment.name!r}: a name has 1 to 64 letters, digits, dots, dashes and underscores, "
            "the first a letter or digit"
        )
    if len(experiment.arms) < 2:
        raise ExperimentError(f"experiment {experiment.name}: one arm has nothing to be compared with; give two")


def created(known: Mapping[str, Started], experiment: Experiment, now_ms: int) -> Change:
    """Begin `experiment` beside the `known` ones (by name), or grow its coverage. Raises ExperimentConflict."""
    before = known.get(experiment.name)
    if before is not None:
        return _grown(before, experiment)
    for other in known.values():
        if other.running and experiment.meets(other.experiment):
            start, end = other.experiment.namespace
            raise ExperimentConflict(
                f"experiment {experiment.name}: {other.experiment.name} runs in layer "
                f"{experiment.layer!r} from {start:g} to {end:g}; take another namespace or layer, or stop it"
            )
    return Change(Started(experiment, now_ms), "created")


def stopped(known: Started, now_ms: int) -> Change:
    """End its assignment now; an experiment that was stopped before is unchanged."""
    if not known.running:
        return Change(known, "unchanged")
    return Change(msgspec.structs.replace(known, stopped_ms=now_ms), "stopped")


def _grown(before: Started, experiment: Experiment) -> Change:
    """The same experiment again, with the coverage it has or a larger one."""
    own = before.experiment
    if not before.running:
        raise ExperimentConflict(
            f"experiment {own.name} was stopped; its name is the seed of its arms, so start another one "
            "under another name"
        )
    if msgspec.structs.replace(experiment, coverage=own.coverage) != own:
        different = [f for f in own.__struct_fields__ if getattr(own, f) != getattr(experiment, f) and f != "coverage"]
        raise ExperimentConflict(
            f"experiment {own.name} runs with other {', '.join(different)}; only coverage may change: stop it "
            "and start another one under another name"
        )
    if experiment.coverage < own.coverage:
        raise ExperimentConflict(
            f"experiment {own.name}: coverage {experiment.coverage:g} is below {own.coverage:g}; it may only grow"
        )
    if experiment.coverage == own.coverage:
        return Change(before, "unchanged")
    return Change(msgspec.structs.replace(before, experiment=experiment), "grown")
