"""A lease in the store that its holder renews, and that a killed holder loses by itself."""

from __future__ import annotations

import threading
from types import TracebackType

import redis.exceptions

from rayapp.stores import ports
from rayapp.stores.ports import LeaseTaken
from rayapp.stores.valkey.commands import Client
from rayapp.stores.valkey.errors import surfaced

TTL_S = 9.0
RENEW_S = 3.0


@surfaced
class Lease(ports.Lease):
    """Waits for the lease of a killed predecessor to run out, no longer."""

    def __init__(self, client: Client, name: str, wait_s: float = 2 * TTL_S) -> None:
        self.name = name
        self.wait_s = wait_s
        self.lock = client.lock(f"lease:{name}", timeout=TTL_S, thread_local=False)
        self.lost = threading.Event()
        self._stop = threading.Event()

    def __enter__(self) -> Lease:
        if not self.lock.acquire(blocking_timeout=self.wait_s):
            raise LeaseTaken(f"another {self.name} is at work on this store; there must be one: stop it first")
        self._thread = threading.Thread(target=self._renew, name=f"lease-{self.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if not self.lost.is_set():
            self.lock.release()

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_S):
            try:
                self.lock.reacquire()
            except redis.exceptions.LockError:
                self.lost.set()  # ran out while this process or the store stood still
                return
            except redis.exceptions.RedisError:
                continue  # the store is away: nobody else gets the lease either
