"""An experiment's life: created once, its coverage grown, stopped. Pure; the stores make each step atomic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from rayapp.errors import Conflict, NotFound
from rayapp.experiments.experiment import Experiment, ExperimentError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PATTERN = "1 to 64 letters (a to z), digits, dots, dashes and underscores, the first a letter or digit"
# Of a model line, and of the version or alias after the @: a folder and a file of the registry.
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(@[A-Za-z0-9][A-Za-z0-9._-]{0,127})?")
MAX_ARMS = 20
MAX_METRICS = 50
MAX_RUNNING = 50  # at once: a replica holds the models of all of them
MAX_STORED = 200  # running and stopped: each replica reads all of them every second


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
    """`outcome`: created, grown (in coverage), stopped, removed, or unchanged."""

    started: Started
    outcome: str


def check(experiment: Experiment) -> None:
    """Can it be stored, compared and shown? Raises ExperimentError.

    Names become labels of metrics, paths and columns, so one pattern holds for all of them. What was stored before
    this was checked is still read: the check is of what clients send.
    """
    if not NAME.fullmatch(experiment.name):
        raise ExperimentError(f"experiment {_short(experiment.name)}: a name has {PATTERN}")
    where = f"experiment {experiment.name}"
    if len(experiment.arms) < 2:
        raise ExperimentError(f"{where}: one arm has nothing to be compared with; give two")
    for what, parts, most in (
        ("arms", experiment.arms, MAX_ARMS),
        ("metrics", experiment.metrics, MAX_METRICS),
        ("guardrails", experiment.guardrails, MAX_METRICS),
    ):
        if len(parts) > most:
            raise ExperimentError(f"{where}: {len(parts)} {what}, at most {most}; leave some out")
    names = [("layer", experiment.layer), *(("arm", arm.name) for arm in experiment.arms)]
    names += [("metric", metric.name) for metric in experiment.metrics]
    for what, name in names:
        if not NAME.fullmatch(name):
            raise ExperimentError(f"{where}, {what} {_short(name)}: a name has {PATTERN}")
    for arm in experiment.arms:
        second = arm.params.interleave
        for model in (arm.params.model, second.model if second is not None else None):
            if model is not None and not MODEL.fullmatch(model):
                raise ExperimentError(
                    f"{where}, arm {arm.name}: model {_short(model)}, must be NAME, NAME@VERSION or NAME@ALIAS, each "
                    "with 1 to 128 letters (a to z), digits, dots, dashes and underscores"
                )


def _short(name: str) -> str:
    """A refused name as it can be shown: quoted, ASCII, of bounded length."""
    return ascii(name if len(name) <= 64 else f"{name[:64]}…")


def removed(started: Started) -> Change:
    """Raises ExperimentConflict while it runs."""
    if started.running:
        raise ExperimentConflict(f"experiment {started.experiment.name} runs; stop it before it is removed")
    return Change(started, "removed")


def created(known: Mapping[str, Started], experiment: Experiment, now_ms: int) -> Change:
    """Begin `experiment` beside the `known` ones (by name), or grow its coverage. Raises ExperimentConflict."""
    before = known.get(experiment.name)
    if before is not None:
        return _grown(before, experiment)
    running = sum(other.running for other in known.values())
    if running >= MAX_RUNNING:
        raise ExperimentConflict(
            f"experiment {experiment.name}: {running} experiments run, at most {MAX_RUNNING} at once; stop one first"
        )
    if len(known) >= MAX_STORED:
        raise ExperimentConflict(
            f"experiment {experiment.name}: {len(known)} experiments are stored, at most {MAX_STORED}; remove an "
            "ended one first (rayapp experiment remove NAME)"
        )
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
