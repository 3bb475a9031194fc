"""Records of `rayapp.behaviour` and `rayapp.items` as the consumers see them, and the dead-letter topic."""

from __future__ import annotations

from confluent_kafka import Message

from rayapp.domain import Event, Forget
from rayapp.validation import InvalidRecord, decode_object, parse_event, parse_forget
from streaming.consumer import append_ms
from streaming.producer import EventProducer, Record


def behaviour_record(value: bytes | None, scenarios: tuple[str, ...], at_ms: int, default_id: str) -> Event | Forget:
    """The event or forget record in a value. Raises InvalidRecord.

    Records that came past the gateway may lack event_id and received_ms:
    they get the place in the log and its append time, the same on every read.
    """
    raw = decode_object(value)
    if raw.get("forget") is True:
        return parse_forget(raw, at_ms)
    return parse_event(raw, scenarios, at_ms, default_id)


def message_record(message: Message, scenarios: tuple[str, ...]) -> tuple[Event | Forget, int]:
    """(record, append ms). Raises InvalidRecord."""
    at = append_ms(message)
    place = f"{message.topic()}-{message.partition()}-{message.offset()}"
    return behaviour_record(message.value(), scenarios, at, place), at


def is_bulk(message: Message) -> bool:
    """True for bootstrap and replay records, which freshness leaves out."""
    return any(name == "origin" for name, _ in message.headers() or [])


class DeadLetters:
    """Writes what could not be used to `rayapp.dead`: the value as it was, the reason in the headers."""

    def __init__(self, producer: EventProducer, topic: str) -> None:
        self.topic = topic
        self.producer = producer

    def record(self, message: Message, error: InvalidRecord) -> Record:
        headers = {
            "reason": error.reason,
            "error": str(error),
            "topic": message.topic() or "",
            "partition": str(message.partition()),
            "offset": str(message.offset()),
        }
        key = f"{message.topic()}-{message.partition()}-{message.offset()}"
        return Record(self.topic, key, message.value(), tuple((k, v.encode()) for k, v in headers.items()))

    def send(self, found: list[tuple[Message, InvalidRecord]]) -> None:
        """Write and wait: a bad record's offset is committed only once it is in the dead-letter topic."""
        self.producer.send_all((self.record(message, error) for message, error in found), timeout_s=30)
