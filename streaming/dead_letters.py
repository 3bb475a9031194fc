"""The dead-letter topic: what could not be used, as it was, with the reason in its headers."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message

from rayapp.metrics import Metrics
from rayapp.validation import InvalidRecord
from streaming.producer import EventProducer, Record

MAX_VALUE = 900_000  # bytes of a value that is written whole: brokers take 1 MB with headers unless told otherwise
CUT = 64_000  # where a broker takes less
MAX_ERROR = 2_000  # characters
Bad = tuple[Message, InvalidRecord]


class DeadLetters:
    """Any record fits: a value that is too large is cut, and the header `bytes` says how long it was."""

    def __init__(self, producer: EventProducer, topic: str, metrics: Metrics) -> None:
        self.topic = topic
        self.producer = producer
        self.metrics = metrics

    def record(self, message: Message, error: InvalidRecord, *, limit: int = MAX_VALUE) -> Record:
        value = message.value()
        headers = {
            "reason": error.reason,
            "error": str(error)[:MAX_ERROR],
            "topic": message.topic() or "",
            "partition": str(message.partition()),
            "offset": str(message.offset()),
        }
        if value is not None and len(value) > limit:
            headers["bytes"] = str(len(value))
            value = value[:limit]
        key = f"{message.topic()}-{message.partition()}-{message.offset()}"
        encoded = tuple((name, text.encode(errors="replace")) for name, text in headers.items())
        return Record(self.topic, key, value, encoded)

    def send(self, bad: Iterable[Bad]) -> None:
        """Write and wait: a bad record's offset is committed only once it is in the dead-letter topic.

        Raises KafkaException while the broker is away.
        """
        bad = list(bad)
        try:
            self.producer.send_all((self.record(message, error) for message, error in bad), timeout_s=30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            for (
                message,
                why,
            ) in bad:  # a record that was written already is written twice: nothing reads them but people
                self.producer.send_all([self.record(message, why, limit=CUT)], timeout_s=30)
        for _, error in bad:
            self.metrics.count("rayapp_dead_letters_total", reason=error.reason)


def unexpected(error: Exception) -> InvalidRecord:
    """For a record on which a consumer's own code failed."""
    text = " ".join(str(error).split())[:500]
    return InvalidRecord("unexpected", f"the record could not be applied ({type(error).__name__}: {text})")
