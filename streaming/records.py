"""Records of `rayapp.behaviour` and `rayapp.items` as the consumers see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Message

from rayapp.domain import Event, Forget
from rayapp.validation import InvalidRecord, decode_object, parse_event, parse_forget
from streaming.consumer import append_ms
from streaming.dead_letters import unexpected

R = TypeVar("R")


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


def is_bulk(message: Message) -> bool:
    """True for bootstrap and replay records, which freshness leaves out."""
    return any(name == "origin" for name, _ in message.headers() or [])
