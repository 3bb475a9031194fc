"""What of the items topic is left to judge and where verdicts go, with a real store and broker. No engine: e2e has one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import ray

from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.domain import Item, encode
from rayapp.moderation.backlog import TopicBacklog
from rayapp.stores.backend import StoreBackend
from rayapp.stores.records import Urgency
from streaming.producer import EventProducer, Record
from tests.unit.moderation.test_backlog import VERSIONS, row, verdict, waiting


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    connect_ray()
    yield
    ray.shutdown()


def test_of_the_topic_the_newest_texts_wait_that_nobody_settled(backend: StoreBackend, stream: Config) -> None:
    items = [Item(item_id=f"i{n}", title=f"text {n}") for n in range(5)]
    newest = [*items[:4], Item(item_id="i4", title="changed")]
    topic = stream.topic("items")
    producer = EventProducer(stream.broker)
    producer.send_all((Record(topic, i.item_id, encode(i)) for i in (*items, newest[4])), timeout_s=30)
    producer.close()
    backend.catalogue_store().put(newest, np.ones((5, 4)), dict.fromkeys((i.item_id for i in newest), Urgency.BULK))
    backend.catalogue_store().delete("i0")
    verdicts = backend.verdicts()
    verdicts.put(verdict("i1", "text 1"))
    verdicts.put(verdict("i2", "text 2", model_version="m@0"))
    verdicts.put(verdict("i3", "text 3", outcome="person", model_version=""))
    verdicts.put(verdict("i4", "text 4"))
    backlog, queue = TopicBacklog(stream.broker, backend, VERSIONS), backend.moderation_queue()
    assert waiting(backlog) == {"i2", "i4"}
    before = queue.waiting()
    backlog.keep([row("i2", "text 2"), row("i4", "text 4")])  # i4 changed while it was judged
    assert verdicts.get(["i2"])[0] == verdict("i2", "text 2")
    assert queue.waiting() == before - 1
    assert waiting(TopicBacklog(stream.broker, backend, VERSIONS)) == {"i4"}
