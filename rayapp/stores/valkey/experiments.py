"""Experiments in one hash; a change checks all of them in one transaction, so overlapping ones cannot both begin."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec
import redis.exceptions

from rayapp.experiments.experiment import Experiment
from rayapp.experiments.lifecycle import Change, Started, UnknownExperiment, check, created, removed, stopped
from rayapp.stores import ports
from rayapp.stores.valkey.commands import Client, Pipe
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import readable

EXPERIMENTS = "experiments"
_decoder = msgspec.json.Decoder(Started)


@surfaced
class ExperimentStore(ports.ExperimentStore):
    """See ports.ExperimentStore."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def all(self) -> list[Started]:
        return sorted(_readable(self.client.hgetall(EXPERIMENTS)).values(), key=lambda one: -one.started_ms)

    def unreadable(self) -> list[str]:
        stored = self.client.hgetall(EXPERIMENTS)
        return sorted({name.decode(errors="replace") for name in stored} - _readable(stored).keys())

    def get(self, name: str) -> Started:
        return _known(self.client, name)

    def create(self, experiment: Experiment) -> Change:
        check(experiment)

        def change(pipe: Pipe) -> Change:
            return created(_readable(pipe.hgetall(EXPERIMENTS)), experiment, int(time.time() * 1000))

        return self._changed(change)

    def stop(self, name: str) -> Change:
        raw = self.client.hget(EXPERIMENTS, name)
        if raw is not None and readable(_decoder, raw, f"experiment {name!r}") is None:
            self.client.hdel(EXPERIMENTS, name)
            raise UnknownExperiment(f"experiment {name!r} could not be read, and is removed")
        return self._changed(lambda pipe: stopped(_known(pipe, name), int(time.time() * 1000)))

    def remove(self, name: str) -> Change:
        return self._changed(lambda pipe: removed(_known(pipe, name)))

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
                    name = decided.started.experiment.name
                    if decided.outcome == "removed":
                        pipe.hdel(EXPERIMENTS, name)
                    else:
                        pipe.hset(EXPERIMENTS, name, msgspec.json.encode(decided.started))
                    pipe.execute()
                    return decided
                except redis.exceptions.WatchError:
                    continue


def _readable(stored: Mapping[bytes, bytes]) -> dict[str, Started]:
    """By name, without those that cannot be read."""
    read = (readable(_decoder, raw, f"experiment {name!r}") for name, raw in stored.items())
    return {one.experiment.name: one for one in read if one is not None}


def _known(client: Client | Pipe, name: str) -> Started:
    raw = client.hget(EXPERIMENTS, name)
    if raw is None:
        raise UnknownExperiment(f"there is no experiment {name!r}")
    started = readable(_decoder, raw, f"experiment {name!r}")
    if started is None:
        raise UnknownExperiment(f"experiment {name!r} cannot be read; stop it, which removes it")
    return started
