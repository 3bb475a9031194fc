"""Experiments in the store: created once, their coverage grown, stopped; never changed otherwise."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import redis
import redis.exceptions

from rayapp.errors import Conflict, NotFound
from rayapp.experiments.experiment import Experiment, ExperimentError

EXPERIMENTS = "experiments"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ExperimentConflict(ExperimentError, Conflict):
    """What is asked for does not go with what runs or ran; the text says with what, and what to do."""


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


_decoder = msgspec.json.Decoder(Started)


class ExperimentStore:
    """One hash; every change checks all of it and is one transaction, so two that overlap cannot both begin."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def all(self) -> list[Started]:
        """The newest first."""
        found = [_decoder.decode(raw) for raw in self.client.hvals(EXPERIMENTS)]
        return sorted(found, key=lambda one: -one.started_ms)

    def get(self, name: str) -> Started:
        """Raises UnknownExperiment."""
        raw = self.client.hget(EXPERIMENTS, name)
        if raw is None:
            raise UnknownExperiment(f"there is no experiment {name!r}")
        return _decoder.decode(raw)

    def create(self, experiment: Experiment) -> Change:
        """Begins it, or grows the coverage of one that runs. Raises ExperimentError, ExperimentConflict."""
        if not NAME.fullmatch(experiment.name):
            raise ExperimentError(
                f"experiment {experiment.name!r}: a name has 1 to 64 letters, digits, dots, dashes and underscores, "
                "the first a letter or digit"
            )
        if len(experiment.arms) < 2:
            raise ExperimentError(f"experiment {experiment.name}: one arm has nothing to be compared with; give two")

        def change(pipe: redis.client.Pipeline) -> Change:
            known = {one.experiment.name: one for one in map(_decoder.decode, pipe.hvals(EXPERIMENTS))}
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
            return Change(Started(experiment, int(time.time() * 1000)), "created")

        return self._changed(change)

    def stop(self, name: str) -> Change:
        """From now on nobody is in it; stopping twice changes nothing. Raises UnknownExperiment."""

        def change(pipe: redis.client.Pipeline) -> Change:
            raw = pipe.hget(EXPERIMENTS, name)
            if raw is None:
                raise UnknownExperiment(f"there is no experiment {name!r}")
            found = _decoder.decode(raw)
            if not found.running:
                return Change(found, "unchanged")
            return Change(msgspec.structs.replace(found, stopped_ms=int(time.time() * 1000)), "stopped")

        return self._changed(change)

    def _changed(self, change: Callable[[redis.client.Pipeline], Change]) -> Change:
        """`change(pipe)` reads and decides; what it decides is written unless somebody else wrote meanwhile."""
        while True:
            with self.client.pipeline() as pipe:
                try:
                    pipe.watch(EXPERIMENTS)
                    found = change(pipe)
                    if found.outcome == "unchanged":
                        return found
                    pipe.multi()
                    pipe.hset(EXPERIMENTS, found.started.experiment.name, msgspec.json.encode(found.started))
                    pipe.execute()
                    return found
                except redis.exceptions.WatchError:
                    continue


def _grown(before: Started, experiment: Experiment) -> Change:
    """The same experiment again, with the coverage it has or a larger one."""
    own = before.experiment
    if not before.running:
        raise ExperimentConflict(
            f"experiment {own.name} was stopped; its name is the seed of its arms, so begin another one under another name"
        )
    if msgspec.structs.replace(experiment, coverage=own.coverage) != own:
        different = [f for f in own.__struct_fields__ if getattr(own, f) != getattr(experiment, f) and f != "coverage"]
        raise ExperimentConflict(
            f"experiment {own.name} runs with other {', '.join(different)}; only coverage may change: stop it and begin "
            "another one under another name"
        )
    if experiment.coverage < own.coverage:
        raise ExperimentConflict(
            f"experiment {own.name}: coverage {experiment.coverage:g} is below {own.coverage:g}; it may only grow"
        )
    if experiment.coverage == own.coverage:
        return Change(before, "unchanged")
    return Change(msgspec.structs.replace(before, experiment=experiment), "grown")
