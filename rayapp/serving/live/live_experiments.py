"""The running experiments of one process, at most a second behind the store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from rayapp.experiments.assignments import Assigned, Assignments
from rayapp.experiments.experiment import Experiment
from rayapp.serving.live.variant import Variant
from rayapp.stores.ports import ExperimentStore, StoreUnreachable

EVERY_S = 1.0
log = logging.getLogger("ray.serve")


class LiveExperiments:
    """Follows the store until `close`; while it is unreachable, the experiments known last keep running.

    An experiment starts in a replica once every model its arms reference is loaded. Until then none of its users takes
    part, so no arm has users who were answered by another arm's model.
    """

    def __init__(self, store: ExperimentStore, hold: Callable[[Iterable[Variant]], dict[Variant, str]]) -> None:
        """`hold`: makes variants ready and returns why some cannot be had."""
        self.store = store
        self.hold = hold
        self.assignments = Assignments()
        self.known: list[Experiment] = []
        self.waiting: dict[str, str] = {}  # experiments that cannot start, and why
        self.closed = threading.Event()

    def assigned(self, user_id: str, scenario: str) -> Assigned:
        return self.assignments.of(user_id, scenario)

    def look(self) -> None:
        """Once. Raises StoreUnreachable."""
        running = [started.experiment for started in self.store.all() if started.running]
        if running == self.known and not self.waiting:
            return
        wanted = {one.name: {variant for arm in one.arms for variant in Variant.all_of(arm.params)} for one in running}
        # Drop ended experiments first, so that their models can be unloaded.
        self.assignments = Assignments([one for one in running if one in self.assignments.running])
        missing = self.hold(set().union(*wanted.values()))
        waiting = {name: missing[v] for name, variants in wanted.items() for v in sorted(variants) if v in missing}
        self.assignments, self.known = Assignments([one for one in running if one.name not in waiting]), running
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
        except StoreUnreachable as error:
            log.warning("experiments: the store is away, going on with those known: %s", error)
        except Exception:  # whatever one experiment does, the others and the next look must go on
            log.exception("experiments could not be followed")
