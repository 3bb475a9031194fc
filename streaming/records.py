"""Records of `rayapp.behaviour` and `rayapp.items` as the consumers see them."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import TypeVar

from confluent_kafka import Message

from rayapp.domain import Event, Forget
from rayapp.validation import InvalidRecord, decode_object, parse_event, parse_forget
from streaming.consumer import append_ms
from streaming.dead_letters import unexpected

R = TypeVar("R")
_headers: Callable[[Message], list[tuple[str, bytes | None]] | None] = methodcaller("headers")


def guarded(parse: Callable[[], R]) -> R:
    """What `parse` gives; whatever it raises for one record is an InvalidRecord, so that the record costs itself
    alone."""
    try:
        return parse()
    except InvalidRecord:
        raise
    except Exception as error:
        raise unexpected(error) from error


def behaviour_record(value: bytes | None, scenarios: tuple[str, ...], at_ms: int, default_id: str) -> Event | Forget:
    """The event or forget record in a value. Raises InvalidRecord, and nothing else.

    Records that came past the gateway may lack event_id and received_ms:
    they get the place in the log and its append time, the same on every read.
    """

    def parse() -> Event | Forget:
        raw = decode_object(value)
        if raw.get("forget") is True:
            return parse_forget(raw, at_ms)
        return parse_event(raw, scenarios, at_ms, default_id)

    return guarded(parse)


def message_record(message: Message, scenarios: tuple[str, ...]) -> tuple[Event | Forget, int]:
    """(record, append ms). Raises InvalidRecord."""
    at = append_ms(message)
    place = f"{message.topic()}-{message.partition()}-{message.offset()}"
    return behaviour_record(message.value(), scenarios, at, place), at


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """A record's headers; none where a name is not UTF-8. The one place that asks a message for them.

    For such a name the client returns a list with a hole, and an error beside it, and keeps the list: whoever looks
    into it takes the process along. A plain call overlooks that error once the interpreter has optimised it, a call by
    `methodcaller` never does; the list is replaced, so that the next question is harmless.
    """
    try:
        return _headers(message) or []
    except (SystemError, UnicodeDecodeError):
        message.set_headers([])
        return []


def is_bulk(message: Message) -> bool:
    """True for bootstrap and replay records, which freshness leaves out."""
    return any(name == "origin" for name, _ in headers_of(message))
