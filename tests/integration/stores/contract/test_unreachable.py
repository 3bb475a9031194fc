"""Every operation, sync and async, raises the one error of a store that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from rayapp.config import History
from rayapp.domain import Action, Decision, Event, Item, Verdict
from rayapp.errors import Unavailable, UserError
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.open import StoreUrlError, open_async_store, open_store
from rayapp.stores.ports import StoreUnreachable
from rayapp.stores.records import PostView, Queued, Urgency
from tests.integration.stores.contract.conftest import Address

ITEM = Item(item_id="i", title="t")
CLICK = Event("e", "u", "homefeed", Action.CLICK, 1, 1, item_id="i")
TWO = Experiment("x", "feed", (Arm("control", 0.5), Arm("new", 0.5)))
BLOCKING: dict[str, Callable[[StoreBackend], Any]] = {
    "ping": lambda s: s.ping(),
    "history_log": lambda s: s.history_log(History()).apply([(CLICK, 1)]),
    "most_clicked": lambda s: s.click_counts().most_clicked(["homefeed"], 3),
    "catalogue.known": lambda s: s.catalogue_store().known([ITEM]),
    "catalogue.put": lambda s: s.catalogue_store().put([ITEM], np.ones((1, 4)), {"i": Urgency.NOW}),
    "catalogue.delete": lambda s: s.catalogue_store().delete("i"),
    "catalogue.fetch": lambda s: s.catalogue().fetch(["i"]),
    "catalogue.scan": lambda s: list(s.catalogue().scan()),
    "catalogue.position": lambda s: s.catalogue().position(),
    "catalogue.changes": lambda s: s.catalogue().changes("0-0", block_ms=1),
    "verdicts.get": lambda s: s.verdicts().get(["i"]),
    "verdicts.put": lambda s: s.verdicts().put(Verdict("i", Decision.ALLOW, "judged", 1)),
    "verdicts.audit": lambda s: s.verdicts().audit("i"),
    "queue.enqueue": lambda s: s.moderation_queue().enqueue(["i"], Urgency.NOW),
    "queue.next": lambda s: s.moderation_queue().next(1),
    "queue.entry": lambda s: s.moderation_queue().entry("i"),
    "queue.drop": lambda s: s.moderation_queue().drop("i"),
    "queue.waiting": lambda s: s.moderation_queue().waiting(),
    "queue.postpone": lambda s: s.moderation_queue().postpone([Queued("i", b"1", Urgency.BULK)]),
    "post_views.begin": lambda s: s.post_views().begin("m"),
    "post_views.get": lambda s: s.post_views().get("i"),
    "post_views.put": lambda s: s.post_views().put("i", PostView("k", "m")),
    "post_views.next": lambda s: s.post_views().next(),
    "post_views.waiting": lambda s: s.post_views().waiting(),
    "experiments.all": lambda s: s.experiments().all(),
    "experiments.get": lambda s: s.experiments().get("x"),
    "experiments.create": lambda s: s.experiments().create(TWO),
    "experiments.stop": lambda s: s.experiments().stop("x"),
    "experiments.remove": lambda s: s.experiments().remove("x"),
    "lease": lambda s: s.lease("job").__enter__(),
}
ASYNC: dict[str, Callable[[AsyncStoreBackend], Awaitable[Any]]] = {
    "ping": lambda s: s.ping(),
    "history.load": lambda s: s.history(History()).load("u", ("homefeed",), 5, 0),
    "history.history": lambda s: s.history(History()).history("u", ("homefeed",), 5),
    "history.popular": lambda s: s.history(History()).popular("homefeed", 5),
    "pages.load": lambda s: s.pages(60).load("c"),
    "pages.add": lambda s: s.pages(60).add("c", ["i"]),
    "post_views.get": lambda s: s.post_views().get("i", "k"),
    "cache.get": lambda s: s.cache("c").get("k"),
    "cache.put": lambda s: s.cache("c").put("k", b"v", ttl_s=60),
}


@pytest.mark.parametrize("operation", BLOCKING)
def test_a_blocking_operation_says_that_the_store_is_away(address: Address, operation: str) -> None:
    with pytest.raises(StoreUnreachable, match="store"):
        BLOCKING[operation](open_store(address.nowhere))


@pytest.mark.parametrize("operation", ASYNC)
async def test_an_asynchronous_operation_says_that_the_store_is_away(address: Address, operation: str) -> None:
    requests = open_async_store(address.nowhere)
    with pytest.raises(StoreUnreachable, match="store"):
        await ASYNC[operation](requests)
    await requests.close()


def test_it_is_an_error_that_a_later_request_may_not_meet() -> None:
    assert issubclass(StoreUnreachable, Unavailable)


def test_a_store_is_waited_for_no_longer_than_allowed(address: Address) -> None:
    with pytest.raises(StoreUnreachable, match=r"no store answers at .* within 0 s .*correct store\.url"):
        open_store(address.nowhere, wait_s=0.2)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "127.0.0.1:6379", ""])
def test_an_unknown_kind_of_store_is_one_clear_error(url: str) -> None:
    for opened in (open_store, open_async_store):
        with pytest.raises(StoreUrlError, match="use one of redis"):
            opened(url)
    assert issubclass(StoreUrlError, UserError)
