"""Applying batches of records whatever is in them: a bad record costs itself alone.

What is away (broker, store, disk, memory) is waited for, as long as it takes. A record on which applying fails for any
other reason goes to the dead-letter topic: its batch is halved until it is found, and the rest is applied. Applying
must be idempotent.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable

from confluent_kafka import KafkaException, Message

from rayapp.stores.ports import StoreRefused, StoreUnreachable
from streaming.dead_letters import DeadLetters, unexpected

MAX_WAIT_S = 5.0
# What an operating system says of itself; any other OSError (a picture that is none) is a record's.
OF_THE_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)
log = logging.getLogger(__name__)
Handler = Callable[[list[Message]], None]
OnState = Callable[[Exception | None], None]


def is_away(error: Exception) -> bool:
    """Whether an error says that something is away or full, rather than that a record is bad."""
    if isinstance(error, StoreRefused):
        return False
    if isinstance(error, OSError):
        return isinstance(error, ConnectionError | TimeoutError) or error.errno in OF_THE_MACHINE
    return isinstance(error, StoreUnreachable | KafkaException | MemoryError)


class Applying:
    """`apply` batches in log order, until `stop`."""

    def __init__(self, handle: Handler, dead: DeadLetters, *, stop: threading.Event, on_state: OnState) -> None:
        """`on_state` is told what is waited for, and None when applying goes on."""
        self.handle = handle
        self.dead = dead
        self.stop = stop
        self.on_state = on_state

    def apply(self, messages: list[Message]) -> bool:
        """False when it was stopped before everything was applied."""
        raised: list[Exception] = []

        def step() -> None:
            try:
                self.handle(messages)
            except Exception as error:
                if is_away(error):
                    raise
                raised.append(error)

        if not self.patiently(step):
            return False
        if not raised:
            return True
        if len(messages) > 1:
            half = len(messages) // 2
            return self.apply(messages[:half]) and self.apply(messages[half:])
        log.error("a record of %s goes to the dead letters", messages[0].topic(), exc_info=raised[0])
        return self.patiently(lambda: self.dead.send([(messages[0], unexpected(raised[0]))]))

    def patiently(self, step: Callable[[], None]) -> bool:
        """Until `step` finds everything there; False when stopped before."""
        wait = 0.1
        waited = False
        while True:
            try:
                step()
                break
            except Exception as error:
                if not is_away(error):
                    raise
                self.on_state(error)
                waited = True
            if self.stop.wait(wait):
                return False
            wait = min(MAX_WAIT_S, wait * 2)
        if waited:
            self.on_state(None)
        return True
