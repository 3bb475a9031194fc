"""Messages of remote workers, handed to a callable of the driver while it waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError

POLL_S = 0.3
T = TypeVar("T")


@ray.remote(num_cpus=0)
class _Box:
    """Holds messages until the driver takes them."""

    def __init__(self) -> None:
        self.messages: list[object] = []

    def put(self, message: object) -> None:
        self.messages.append(message)

    def take(self) -> list[object]:
        taken, self.messages = self.messages, []
        return taken


class Sender:
    """A worker's end: can be pickled, never waits."""

    def __init__(self, box: Any) -> None:
        self.box = box

    def __call__(self, message: object) -> None:
        self.box.put.remote(message)


class Mailbox(Generic[T]):
    """While the block runs, a thread calls `receive` with each message that a worker gave to `sender`, in order."""

    def __init__(self, receive: Callable[[T], None]) -> None:
        self.receive = receive
        self.box: Any = _Box.remote()
        self.sender = Sender(self.box)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._deliver, daemon=True)

    def __enter__(self) -> Sender:
        self.thread.start()
        return self.sender

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.thread.join()
        ray.kill(self.box)

    def _deliver(self) -> None:
        while True:
            last = self.ended.wait(POLL_S)  # messages sent before the end are taken after it
            try:
                messages = ray.get(self.box.take.remote())
            except RayError:
                return  # the cluster went away: the block's own error says so
            for message in messages:
                self.receive(message)
            if last:
                return
