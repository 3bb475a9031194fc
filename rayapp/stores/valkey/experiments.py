"""Experiments in one hash; a change checks all of them in one transaction, so overlapping ones cannot both begin."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import redis.exceptions

from rayapp.experiments.experiment import Experiment
from rayapp.experiments.lifecycle import Change, Started, UnknownExperiment, check, created, stopped
from rayapp.stores import ports
from rayapp.stores.valkey.commands import Client, Pipe
from rayapp.stores.valkey.errors import surfaced

EXPERIMENTS = "experiments"
_decoder = msgspec.json.Decoder(Started)


@surfaced
class ExperimentStore(ports.ExperimentStore):
    """See ports.ExperimentStore."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def all(self) -> list[Started]:
        started = [_decoder.decode(raw) for raw in self.client.hvals(EXPERIMENTS)]
        return sorted(started, key=lambda one: -one.started_ms)

    def get(self, name: str) -> Started:
        return _known(self.client, name)

    def create(self, experiment: Experiment) -> Change:
        check(experiment)

        def change(pipe: Pipe) -> Change:
            known = {one.experiment.name: one for one in map(_decoder.decode, pipe.hvals(EXPERIMENTS))}
            return created(known, experiment, int(time.time() * 1000))

        return self._changed(change)

    def stop(self, name: str) -> Change:
        return self._changed(lambda pipe: stopped(_known(pipe, name), int(time.time() * 1000)))

    def _changed(self, change: Callable[[Pipe], Change]) -> Change:
        """`change(pipe)` reads and decides; its decision is written unless another client wrote meanwhile."""
        while True:
            with self.client.pipeline() as pipe:
                try:
                    pipe.watch(EXPERIMENTS)
                    decided = change(pipe)
                    if decided.outcome == "unchanged":
                        return decided
                    pipe.multi()
                    pipe.hset(EXPERIMENTS, decided.started.experiment.name, msgspec.json.encode(decided.started))
                    pipe.execute()
                    return decided
                except redis.exceptions.WatchError:
                    continue


def _known(client: Client | Pipe, name: str) -> Started:
    raw = client.hget(EXPERIMENTS, name)
    if raw is None:
        raise UnknownExperiment(f"there is no experiment {name!r}")
    return _decoder.decode(raw)
