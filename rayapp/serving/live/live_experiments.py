"""The running experiments of one process, at most a second behind the store."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable

from rayapp.experiments.assignments import Assigned, Assignments
from rayapp.experiments.experiment import Experiment
from rayapp.serving.live.heartbeat import Heartbeat
from rayapp.serving.live.variant import Variant
from rayapp.stores.ports import ExperimentStore, StoreUnreachable

EVERY_S = 1.0
log = logging.getLogger("ray.serve")


class LiveExperiments:
    """Follows the store until `close`; while it is unreachable, the experiments known last keep running.

    An experiment starts in a replica once every model its arms reference is loaded. Until then none of its users takes
    part, so no arm has users who were answered by another arm's model.
    """

    def __init__(
        self,
        store: ExperimentStore,
        hold: Callable[[Iterable[Variant]], dict[Variant, str]],
        *,
        begin_after_s: float = 0.0,
        linger_s: float = 0.0,
    ) -> None:
        """`hold`: makes variants ready and returns why some cannot be had.

        Where other replicas answer for this one: `begin_after_s`, how long an experiment waits once it is ready here,
        so that they are ready too; in those, `linger_s`, how long an ended experiment's variants are still held.
        """
        self.store = store
        self.hold = hold
        self.begin_after_s = begin_after_s
        self.linger_s = linger_s
        self.assignments = Assignments()
        self.known: list[Experiment] = []
        self.waiting: dict[str, str] = {}  # experiments that cannot start, and why
        self.closed = threading.Event()
        self.followed = Heartbeat("experiments")
        self._looked = False
        self._ready_at: dict[str, float] = {}
        self._held: set[Variant] = set()
        self._lingering: dict[Variant, float] = {}  # until when

    def assigned(self, user_id: str, scenario: str) -> Assigned:
        return self.assignments.of(user_id, scenario)

    def look(self) -> None:
        """Once. Raises StoreUnreachable."""
        running = [started.experiment for started in self.store.all() if started.running]
        settling = len(self.assignments.running) + len(self.waiting) < len(self.known)
        if running == self.known and not (self.waiting or settling or self._lingering):
            return
        now = time.monotonic()
        wanted = {one.name: {variant for arm in one.arms for variant in Variant.all_of(arm.params)} for one in running}
        # Drop ended experiments first, so that their models can be unloaded.
        self.assignments = Assignments([one for one in running if one in self.assignments.running])
        needed = set().union(*wanted.values())
        ended = self._held - needed - self._lingering.keys()
        self._lingering |= dict.fromkeys(ended, now + self.linger_s)
        self._lingering = {v: until for v, until in self._lingering.items() if until > now and v not in needed}
        self._held = needed
        missing = self.hold(needed | self._lingering.keys())
        waiting = {name: missing[v] for name, variants in wanted.items() for v in sorted(variants) if v in missing}
        # Whatever runs when a replica starts is held by the others already.
        since = now if self._looked else -math.inf
        self._looked = True
        self._ready_at = {name: self._ready_at.get(name, since) for name in wanted if name not in waiting}
        ready = {name for name, at in self._ready_at.items() if now - at >= self.begin_after_s}
        self.assignments, self.known = Assignments([one for one in running if one.name in ready]), running
        if waiting != self.waiting:
            for name, why in waiting.items():
                log.warning("experiment %s waits: %s", name, why)
            self.waiting = waiting

    def follow(self) -> None:
        while not self.closed.wait(EVERY_S):
            self._look()

    def start(self) -> None:
        """Returns after the first read, so that a restart leaves no user without an arm."""
        self._look()
        threading.Thread(target=self.follow, name="experiments", daemon=True).start()

    def close(self) -> None:
        self.closed.set()

    def _look(self) -> None:
        try:
            self.look()
            self.followed.beat()
        except StoreUnreachable as error:
            log.warning("experiments: the store is away, going on with those known: %s", error)
            self.followed.beat()
        except Exception:  # whatever one experiment does, the others and the next look must go on
            log.exception("experiments could not be followed")
