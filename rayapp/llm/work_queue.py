"""The loop of a queue whose work is done by the language model: claim, ask, publish, and leave the model to others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

from confluent_kafka import KafkaException

from rayapp.llm.completions import ModelAway
from rayapp.stores.ports import StoreRefused, StoreUnreachable

T = TypeVar("T")
Say = Callable[[str], None]
IDLE_S = 0.2
RETRY_S = 1.0


class Allowance(Enum):
    """How much of the backlog a worker may claim; what is urgent it may always claim."""

    URGENT = "nothing of the backlog"
    LITTLE = "a small batch, for what becomes urgent meanwhile waits behind it"
    ALL = "a full batch"


class Batch(NamedTuple, Generic[T]):
    """What a worker claimed. Neither what is `urgent`, because somebody waits for it, nor what does not ask the model
    (`asks`) counts against the backlog's share."""

    work: list[T]
    urgent: bool
    asks: bool = True


class Worker(Protocol[T]):
    """One queue. A claim takes nothing off it: what is killed before it is published is claimed again."""

    name: str

    def claim(self, allowed: Allowance) -> Batch[T] | None:
        """What to do next; None when nothing may be done now."""
        ...

    def work(self, batch: Batch[T]) -> int:
        """Ask the model and publish its answers. Returns how many entries are done. Raises ModelAway."""
        ...

    def give_up(self, entry: T, error: Exception) -> None:
        """Take an entry off the queue on which `work` failed for a reason of its own; the entries behind it go on."""
        ...


class WorkQueue(Generic[T]):
    """One worker's loop. Its backlog takes `share` of the time: after a batch it rests 1 / share - 1 times as long."""

    def __init__(self, worker: Worker[T], *, share: float, say: Say, paced: bool = True) -> None:
        """`paced` False: work the queue off without resting, in full batches."""
        self.worker = worker
        self.share = share
        self.say = say
        self.paced = paced
        self.rest_until = 0.0  # monotonic; nothing of the backlog before this moment

    def run(self, stop: threading.Event, *, lost: threading.Event | None = None) -> None:
        """Until `stop`, or until the lease is `lost`; a model, broker or store that is away is waited for.

        Whatever else goes wrong is reported and the loop goes on; an entry that cannot be worked off is given up.
        """
        away = ""
        while not stop.is_set() and not (lost is not None and lost.is_set()):
            try:
                done = self.step()
            except (ModelAway, StoreUnreachable, KafkaException) as error:
                if away != type(error).__name__:
                    self.say(f"{self.worker.name}: waiting, nothing is lost: {error}")
                away = type(error).__name__
                stop.wait(RETRY_S)
            except Exception as error:
                self.say(f"{self.worker.name}: {error!r}")
                stop.wait(RETRY_S)
            else:
                if away and done:
                    away = ""
                    self.say(f"{self.worker.name}: working again")
                if not done:
                    stop.wait(IDLE_S)

    def step(self) -> int:
        """Claim and work off one batch. Returns how many entries are done. Raises ModelAway."""
        started = time.monotonic()
        batch = self.worker.claim(self._allowed(started))
        if batch is None:
            return 0
        done = self._worked(batch)
        if self.paced and batch.asks and not batch.urgent:
            self.rest_until = time.monotonic() + (time.monotonic() - started) * (1 / self.share - 1)
        return done

    def _allowed(self, now: float) -> Allowance:
        if not self.paced:
            return Allowance.ALL
        return Allowance.LITTLE if now >= self.rest_until else Allowance.URGENT

    def _worked(self, batch: Batch[T]) -> int:
        """The batch, or each of its entries alone once one of them fails."""
        try:
            return self.worker.work(batch)
        except Exception as error:
            if isinstance(error, ModelAway | KafkaException) or (
                isinstance(error, StoreUnreachable) and not isinstance(error, StoreRefused)
            ):
                raise
            if len(batch.work) > 1:
                return sum(self._worked(batch._replace(work=[entry])) for entry in batch.work)
            self.say(f"{self.worker.name}: {batch.work[0]!r:.200} is given up: {error!r:.500}")
            self.worker.give_up(batch.work[0], error)
            return 1
