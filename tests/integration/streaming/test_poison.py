"""Whatever stands in a topic, the records around it are applied: on a real broker and store.

The corpus grows with every kind of record that ever stopped a consumer.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import confluent_kafka
import msgspec
import numpy as np
import pytest
import redis
from confluent_kafka import Message, TopicPartition
from confluent_kafka.cimpl import NewTopic

import streaming
from rayapp.config import Config
from rayapp.metrics import Metrics
from rayapp.stores.open import open_store
from rayapp.stores.ports import StoreUnreachable
from streaming.catalogue_writer import CatalogueApplier
from streaming.consumer import LogConsumer
from streaming.dead_letters import MAX_VALUE, DeadLetters
from streaming.history_writer import HistoryApplier
from streaming.producer import EventProducer, Record
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.topics import wait_for_broker
from streaming.windows import Range
from tests.helpers import eventually

CLICK = {"user_id": "u", "item_id": "i", "scenario": "homefeed", "action": "click"}
ITEM = {"item_id": "p", "title": "t"}
NUMBERS = [b"NaN", b"Infinity", b"1e308", b"1e999", b"-1", b"9" * 400, b"0.1", b"true", b"{}", b"[]", b'"x"']
BYTES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"3",
    b"[" * 1000,
    b'{"a":' * 1000,
    b"[" * 900_000,
    b"x" * 999_000,
    b'"' + b"a" * 950_000 + b'"',
    b"\xff\xfe\x00",
    b"\x00\x00\x00\x00\x01framed",
    b"\x1f\x8bgzip",
    '{"user_id": "u"'.encode("utf-16"),
    b"\xef\xbb\xbf{}",
    b'{"item_id": "\\ud800", "user_id": "\\ud800", "title": "t"}',
]


def with_value(record: dict, key: str, value: bytes) -> bytes:
    """The record with one value written as it is, JSON or not."""
    rest = {k: v for k, v in record.items() if k != key}
    return msgspec.json.encode(rest)[:-1] + b',"' + key.encode() + b'":' + value + b"}"


BAD_EVENTS = [
    *BYTES,
    *(with_value(CLICK, key, value) for key in ("timestamp_ms", "timestamp", "received_ms") for value in NUMBERS),
    *(with_value(CLICK, "user_id", value) for value in (b"0.5", b"1e300", b"[]", b"true", b'""')),
    *(with_value(CLICK, "dwell_ms", value) for value in (b"1e308", b"-1", b'"x"')),
    b'{"forget": true}',
    b'{"forget": true, "user_id": [1]}',
]
BAD_ITEMS = [
    *BYTES,
    *(with_value(ITEM, key, value) for key in ("timestamp_ms", "timestamp") for value in NUMBERS),
    *(with_value(ITEM, key, value) for key in ("extra", "tags", "title", "kind") for value in (b"5", b"[[1]]", b"{}")),
    b'{"item_id": "p", "title": "t", "extra": 5, "genre": "x"}',
    b'{"item_id": "p", "title": "t", "extra": "abc", "genre": "y"}',
    b'{"item_id": "", "title": "t"}',
    b'{"item_id": "p"}',
]
HEADERS = [b"\xff", b"\xff\xfe\xfd", b"\xc3(", b"\xed\xa0\x80", b"", b"\xf0\x9f\x98\x80", b"n" * 5000]


@pytest.fixture
def producer(stream: Config) -> Iterator[EventProducer]:
    opened = EventProducer(stream.broker)
    yield opened
    opened.close()


@pytest.fixture
def follow(stream: Config, producer: EventProducer) -> Iterator[Callable]:
    """Runs a consumer in a thread until the test is over."""
    stop, threads = threading.Event(), []

    def start(topic: str, group: str, handle: Callable) -> None:
        dead = DeadLetters(producer, stream.topic("dead"), Metrics())
        consumer = LogConsumer(stream.broker, stream.topic(topic), group, batch=200)
        thread = threading.Thread(
            target=partial(consumer.run, handle, stop, dead=dead, on_state=lambda error: print("state", error))
        )
        thread.start()
        threads.append(thread)

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def produce_with_headers(config: Config, topic: str, records: list[tuple[bytes, bytes]]) -> None:
    """(value, name of a header) each, any bytes: through the client's own library, its Python part takes text alone."""
    (file,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka-*")
    library, size = ctypes.CDLL(str(file)), ctypes.c_size_t
    for call in (library.rd_kafka_conf_new, library.rd_kafka_new):
        call.restype = ctypes.c_void_p
    settings, said = ctypes.c_void_p(library.rd_kafka_conf_new()), ctypes.create_string_buffer(200)
    library.rd_kafka_conf_set(settings, b"bootstrap.servers", config.broker.address.encode(), said, size(200))
    producer = ctypes.c_void_p(library.rd_kafka_new(0, settings, said, size(200)))
    end, topic_kind, value_kind, flags_kind, header_kind, copied = 0, 1, 4, 7, 9, 2
    for value, header in records:
        failed = library.rd_kafka_producev(
            producer, topic_kind, topic.encode(), value_kind, value, size(len(value)), flags_kind, copied,
            header_kind, header, b"1", size(1), end,
        )  # fmt: skip
        assert failed == 0
    assert library.rd_kafka_flush(producer, 20_000) == 0
    library.rd_kafka_destroy(producer)


@pytest.fixture
def odd_headers(stream: Config) -> list[str]:
    """Users of valid clicks whose headers have names of any bytes: enough of them that every call is optimised."""
    users = [f"h{n}" for n in range(20 * len(HEADERS))]
    clicks = [msgspec.json.encode({**CLICK, "user_id": user}) for user in users]
    produce_with_headers(stream, stream.topic("behaviour"), list(zip(clicks, 20 * HEADERS, strict=True)))
    return users


def dead_letters(config: Config) -> list[Message]:
    """Everything in the dead-letter topic."""
    topic = config.topic("dead")
    consumer = consumer_for(config.broker)
    try:
        ((low, high),) = watermarks(consumer, topic).values()
        consumer.assign([TopicPartition(topic, 0, low)])
        read: list[Message] = []
        while len(read) < high - low:
            read += [m for m in consumer.consume(high - low, timeout=5) if m.error() is None]
        return read
    finally:
        consumer.close()


async def test_good_events_around_every_bad_one_reach_their_histories(
    stream: Config, store: redis.Redis, producer: EventProducer, follow: Callable
) -> None:
    del store
    records = []
    for n, bad in enumerate(BAD_EVENTS):
        good = {**CLICK, "user_id": f"u{n}", "item_id": f"i{n}"}
        records.append(Record(stream.topic("behaviour"), f"u{n}", bad))
        records.append(Record(stream.topic("behaviour"), f"u{n}", msgspec.json.encode(good)))
    producer.send_all(records)
    opened = open_store(stream.store_url)
    dead = DeadLetters(producer, stream.topic("dead"), Metrics())
    handle = HistoryApplier(opened, dead, Metrics(), history=stream.history, scenarios=stream.scenarios)
    follow("behaviour", "poison-history", handle)
    client = redis.Redis.from_url(stream.store_url)
    eventually(
        lambda: all(client.zcard(f"u:{{u{n}}}:h:homefeed") for n in range(len(BAD_EVENTS))),
        60,
        "every good event is applied",
    )
    # The histories of a batch are written before its dead letters.
    eventually(lambda: len(dead_letters(stream)) >= len(BAD_EVENTS), 60, "every bad event is a dead letter")
    letters = dead_letters(stream)
    assert len(letters) == len(BAD_EVENTS)
    for letter in letters:
        headers = dict(letter.headers() or [])
        assert headers["reason"]
        assert headers["error"]
        assert (headers["topic"], headers["offset"].isdigit()) == (stream.topic("behaviour").encode(), True)
        value = letter.value() or b""
        assert len(value) <= MAX_VALUE
        assert len(value) == int(headers.get("bytes", len(value))) or len(value) == MAX_VALUE


async def test_a_click_counts_whatever_bytes_its_headers_are_named_with(
    stream: Config, store: redis.Redis, producer: EventProducer, follow: Callable, odd_headers: list[str]
) -> None:
    opened = open_store(stream.store_url)
    handle = HistoryApplier(
        opened, DeadLetters(producer, stream.topic("dead"), Metrics()), Metrics(),
        history=stream.history, scenarios=stream.scenarios,
    )  # fmt: skip
    tries: set[int] = set()

    def twice(messages: list[Message]) -> None:
        """A store that goes away after the first look: the same messages are applied again."""
        handle(messages)
        if (first := messages[0].offset() or 0) not in tries:
            tries.add(first)
            raise StoreUnreachable("away for a moment")

    follow("behaviour", "odd-headers", twice)
    eventually(
        lambda: all(store.zcard(f"u:{{{user}}}:h:homefeed") for user in odd_headers), 30, "every click is applied"
    )


def test_a_window_with_any_header_is_read(stream: Config, odd_headers: list[str]) -> None:
    topic = stream.topic("behaviour")
    consumer = consumer_for(stream.broker)
    ranges = [Range(topic, p, low, high) for p, (low, high) in watermarks(consumer, topic).items() if high > low]
    consumer.close()
    rows = [row for table in read_ranges(stream.broker, ranges) for row in table.to_pylist()]
    assert {msgspec.json.decode(row["value"])["user_id"] for row in rows} == set(odd_headers)
    assert not any(row["bulk"] for row in rows)


async def test_whatever_time_a_producer_writes_users_are_forgotten_and_notes_dated(
    stream: Config, store: redis.Redis, producer: EventProducer, follow: Callable
) -> None:
    """On topics that keep their producers' times, as the items topic does."""
    times = [1000, 4_000_000_000_000, 2**53, time.time_ns() // 1000]  # seconds, ahead, anything, microseconds
    early = NewTopic(stream.topic("early"), 1, 1)
    admin = wait_for_broker(stream.broker)
    admin.create_topics([early])[early.topic].result(timeout=20)
    begun = int(time.time() * 1000)
    for n, at in enumerate(times):
        click, forget = {**CLICK, "user_id": f"f{n}"}, {"forget": True, "user_id": f"f{n}"}
        for value in (click, forget, {**CLICK, "user_id": f"k{n}"}):
            producer.producer.produce(early.topic, msgspec.json.encode(value), timestamp=at)
        for item in (
            {"item_id": f"t{n}", "title": "t"},
            {"item_id": f"a{n}", "title": "t", "timestamp_ms": 4 * 10**12},
        ):
            producer.producer.produce(stream.topic("items"), msgspec.json.encode(item), item["item_id"], timestamp=at)
    assert producer.producer.flush(20) == 0
    opened = open_store(stream.store_url)
    dead = DeadLetters(producer, stream.topic("dead"), Metrics())
    history = HistoryApplier(opened, dead, Metrics(), history=stream.history, scenarios=stream.scenarios)
    items = CatalogueApplier(opened, dead, Metrics(), encoder=stream.encoder, images="", known_content=dict)
    items._contents = lambda items: np.zeros((len(items), 4), np.float32)  # type: ignore[method-assign]
    follow("early", "odd-times", history)
    follow("items", "odd-times-items", items)
    users = range(len(times))
    eventually(lambda: all(store.exists(f"u:{{k{n}}}:h:homefeed") for n in users), 30, "every click is applied")
    assert [n for n in users if store.keys(f"u:{{f{n}}}:*")] == []
    ids = [f"{kind}{n}" for kind in "ta" for n in users]
    stored = opened.catalogue()
    eventually(lambda: all(s.item for s in stored.fetch(ids)), 30, "every item is stored")
    dated = [s.item.timestamp_ms or 0 for s in stored.fetch(ids) if s.item is not None]
    assert all(begun <= at <= time.time() * 1000 for at in dated)


def test_only_one_place_asks_a_message_for_its_headers() -> None:
    root = Path(streaming.__file__).parent.parent
    asking = [
        str(file.relative_to(root))
        for folder in ("rayapp", "streaming", "jobs")
        for file in (root / folder).rglob("*.py")
        if ".headers()" in file.read_text()
    ]
    assert asking == []  # records.py asks by `methodcaller`


async def test_good_items_around_every_bad_one_reach_the_catalogue(
    stream: Config, store: redis.Redis, producer: EventProducer, follow: Callable
) -> None:
    del store
    records = []
    for n, bad in enumerate(BAD_ITEMS):
        records.append(Record(stream.topic("items"), "p", bad))
        records.append(Record(stream.topic("items"), f"g{n}", msgspec.json.encode({"item_id": f"g{n}", "title": "t"})))
    producer.send_all(records)
    opened = open_store(stream.store_url)
    dead = DeadLetters(producer, stream.topic("dead"), Metrics())
    handle = CatalogueApplier(opened, dead, Metrics(), encoder=stream.encoder, images="", known_content=dict)
    handle._contents = lambda items: np.zeros((len(items), 4), np.float32)  # type: ignore[method-assign]
    follow("items", "poison-catalogue", handle)
    stored = opened.catalogue()
    eventually(
        lambda: all(s.item for s in stored.fetch([f"g{n}" for n in range(len(BAD_ITEMS))])),
        60,
        "every good item is stored",
    )
