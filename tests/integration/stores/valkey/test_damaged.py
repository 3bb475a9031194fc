"""Whatever stands in the store, the entries beside it are read. It grows with every entry that ever stopped a reader."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
import redis

from rayapp.config import Config, History
from rayapp.domain import Action, Decision, Event, Item, Verdict
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.job_state import JobState
from rayapp.stores.open import open_async_store
from rayapp.stores.records import Urgency

ODD = b"\xff\xfe"
TEXTS = [b"", b"not json", b"5", b"[]", b"{}", b"null", ODD, b'{"decision":"maybe"}', b'{"outcome":"person"}']
NOW = 1_790_000_000_000


@pytest.fixture
async def requests(server_config: Config) -> AsyncIterator[AsyncStoreBackend]:
    opened = open_async_store(server_config.store_url)
    yield opened
    await opened.close()


def put(backend: StoreBackend, *ids: str, judge: Urgency | None = None) -> None:
    items = [Item(item_id=i, title=i) for i in ids]
    urgency = dict.fromkeys(ids, judge) if judge is not None else None
    backend.catalogue_store().put(items, np.ones((len(ids), 4), np.float32), urgency)


def verdict(item_id: str, outcome: str = "judged") -> Verdict:
    return Verdict(item_id, Decision.BLOCK, outcome, NOW)  # type: ignore[arg-type]


def test_a_catalogue_is_read_and_followed_past_damaged_entries(backend: StoreBackend, store: redis.Redis) -> None:
    reader = backend.catalogue()
    put(backend, "before")
    position = reader.position()
    vectors = [b"", b"abc", b"x", np.full(4, np.nan, np.float16).tobytes(), np.full(4, np.inf, np.float16).tobytes()]
    put(backend, *(f"v{n}" for n in range(len(vectors))), *(f"r{n}" for n in range(len(TEXTS))))
    for n, vector in enumerate(vectors):
        store.hset("item_vectors", f"v{n}", vector)
    for n, record in enumerate(TEXTS):
        store.hset("items", f"r{n}", record)
    store.hset("items", ODD, store.hget("items", "before"))
    store.xadd("item_changes", {"put": ODD})
    store.xadd("item_changes", {ODD: "before"})
    put(backend, "after")
    assert {s.item_id for page in reader.scan() for s in page if s.item is not None} == {"before", "after"}
    ids = reader.changes(position, block_ms=1)[1]
    assert {s.item_id for s in reader.fetch(ids) if s.item is not None} == {"before", "after"}


@pytest.mark.parametrize("old", TEXTS)
def test_an_unreadable_verdict_is_replaced_and_its_note_leaves_the_queue(
    backend: StoreBackend, store: redis.Redis, old: bytes
) -> None:
    put(backend, "n", judge=Urgency.NOW)
    store.hset("verdicts", "n", old)
    assert backend.verdicts().get(["n"]) == [None]
    assert backend.verdicts().put(verdict("n"), backend.moderation_queue().next(1)[0])
    assert backend.verdicts().get(["n"]) == [verdict("n")]
    assert backend.moderation_queue().waiting() == 0


def test_audits_of_people_are_read_past_damaged_ones(backend: StoreBackend, store: redis.Redis) -> None:
    store.xadd("verdict_audit", {"other": "x"})
    for text in TEXTS:
        store.xadd("verdict_audit", {"verdict": text})
    backend.verdicts().put(verdict("n", "person"))
    assert backend.verdicts().audit("n") == [verdict("n", "person")]


@pytest.mark.parametrize("score", [9e13, -1.0, 0.5, 1e13 + 0.25, float("inf"), float("-inf"), 1e300])
def test_an_entry_of_any_score_is_claimed_and_leaves_the_queue(
    backend: StoreBackend, store: redis.Redis, score: float
) -> None:
    queue = backend.moderation_queue()
    store.zadd("moderation_queue", {"n": score})
    (entry,) = queue.next(5)
    assert queue.entry("n") == entry
    assert backend.verdicts().put(verdict("n"), entry)
    assert queue.waiting() == 0


def test_ids_that_are_no_text_stand_before_nothing(backend: StoreBackend, store: redis.Redis) -> None:
    queue, views = backend.moderation_queue(), backend.post_views()
    store.zadd("moderation_queue", {bytes([255, n]): n for n in range(20)})
    store.zadd("post_view_queue", {bytes([255, n]): n for n in range(20)})
    put(backend, "n", judge=Urgency.NOW)
    assert [entry.item_id for entry in queue.next(3)] == ["n"]
    wanted = views.next()
    assert wanted is not None
    assert wanted.item_id == "n"
    assert (queue.waiting(), views.waiting()) == (1, 1)


async def test_a_user_is_read_and_forgotten_past_damaged_entries(
    backend: StoreBackend, store: redis.Redis, requests: AsyncStoreBackend
) -> None:
    log = backend.history_log(History())
    event = Event("e", "u", "homefeed", Action.CLICK, NOW, NOW, item_id="i")
    log.apply([(event, NOW)])
    for key in ("seen", "hidden", "scenarios"):
        store.sadd(f"u:{{u}}:{key}", ODD, "i")
    store.zadd("u:{u}:ads", {ODD: NOW, b"\x1f": NOW})
    for n, text in enumerate(TEXTS):
        store.zadd("u:{u}:h:homefeed", {text: n})
    store.set(b"u:{u}:h:" + ODD, "x")
    state = await requests.history(History()).load("u", ("homefeed",), 100, NOW)
    assert (state.events, state.seen, state.hidden) == ([event], {"i"}, {"i"})
    log.forget("u")
    assert store.keys("u:{u}:*") == []


async def test_what_is_popular_is_read_and_counted_past_damaged_entries(
    backend: StoreBackend, store: redis.Redis, requests: AsyncStoreBackend
) -> None:
    put(backend, "i")
    store.zadd("popular:homefeed", {ODD: 3, "endless": float("inf")})
    store.sadd("popular_scenarios", ODD)
    store.set("{popular:homefeed}:era", "no number")
    event = Event("e", "u", "homefeed", Action.CLICK, NOW, NOW, item_id="i")
    assert backend.history_log(History()).apply([(event, NOW)]) == 1
    put(backend, "another")
    assert backend.click_counts().most_clicked(["homefeed"], 10) == ["i"]
    assert await requests.history(History()).popular("homefeed", 10) == [("i", 1.0)]


async def test_states_of_jobs_pages_and_queries_are_read_past_damaged_entries(
    backend: StoreBackend, store: redis.Redis, requests: AsyncStoreBackend
) -> None:
    for n, text in enumerate(TEXTS):
        store.hset("job_states", f"j{n}", text)
        store.hset("post_view_queries", f"i{n}", text)
        assert await requests.post_views().get(f"i{n}", "k") is None
    store.hset("job_states", ODD, "{}")
    backend.job_states().put("learner", JobState(NOW))
    assert backend.job_states().all() == await requests.job_states().all() == {"learner": JobState(NOW)}
    store.sadd("page:c", ODD, "i")
    assert await requests.pages(60).load("c") == {"i"}
    store.set("post_view_model", ODD)
    assert await requests.post_views().get("i", "k") is None
