"""Every id that is taken has an address: through the real application, on every path."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rayapp.domain import Item
from rayapp.serving.http.services import Services
from rayapp.stores.backend import StoreBackend
from tests.helpers import eventually
from tests.integration.serving.http.conftest import contents_of

ODD = [
    "a/b", "books/sci-fi/42", "/", "//", "a%2Fb", "%2F", "%252F", "%", "%zz", "100%", "..", ".", "../..", "a?b", "a#b",
    "a b", "a+b", "a;b=c", "a&b", "é", "e\u0301", "😀", "\0", "a\nb", "\r\n", "\u200b", "\u202e", "\ufffd", "x" * 256,
    "/" * 256, "similar", "a/similar", "a/verdict", "queries", "google-oauth2/123", "\\", "'", '"', "{item_id}", "é" * 256,
]  # fmt: skip


def segment(text: str) -> str:
    """Percent-encoded, dots too: clients take `.` and `..` out of a path by themselves."""
    return quote(text, safe="").replace(".", "%2E")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
TRICKY = st.text("/%25Ff.?#é😀\0\n", min_size=1, max_size=12)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT | TRICKY, min_size=20, max_size=20, unique=True))
@example(ODD)
async def test_an_item_is_read_judged_and_deleted_by_its_id(
    http: httpx.AsyncClient, opened: Services, backend: StoreBackend, ids: list[str]
) -> None:
    items = [Item(item_id=one, title=f"title of {one!r}") for one in ids]
    backend.catalogue_store().put(items, contents_of(items))
    catalogue = opened.state.catalogue
    await asyncio.to_thread(eventually, lambda: set(ids) <= catalogue.items.keys(), 30, "the catalogue has the items")
    for one in ids:
        path = f"/v1/items/{segment(one)}"
        read = await http.get(path)
        assert (read.status_code, read.json()["item_id"]) == (200, one)
        assert (await http.head(path)).status_code == 200
        for list_of in ("similar", "queries"):
            assert (await http.get(f"{path}/{list_of}", params={"user_id": one})).status_code == 200
        judged = await http.put(f"{path}/verdict", json={"decision": "allow", "reason": "a test"})
        assert (judged.status_code, judged.json()["item_id"]) == (200, one)
        deleted = await http.delete(path)
        assert (deleted.status_code, deleted.json()["item_id"]) == (202, one)
        unknown = await http.get(f"{path}%2F%2F{'x' * (256 - len(one))}")
        assert unknown.status_code in (404, 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT | TRICKY | st.sampled_from(ODD))
async def test_a_user_is_asked_for_and_forgotten_by_their_id(http: httpx.AsyncClient, one: str) -> None:
    path = f"/v1/users/{segment(one)}"
    assert (await http.get(f"{path}/history")).json() == {"events": []}
    gone = await http.delete(path)
    assert (gone.status_code, gone.json()["user_id"]) == (202, one)
    feed = await http.get("/v1/feed", params={"user_id": one, "k": 1})
    assert (feed.status_code, feed.json()["user_id"]) == (200, one)
    found = await http.get("/v1/search", params={"user_id": one, "q": one})
    assert found.status_code == (200 if one.strip() and len(one) <= 500 else 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT | TRICKY | st.sampled_from(ODD))
async def test_an_experiment_that_is_not_there_is_not_found_by_any_name(http: httpx.AsyncClient, one: str) -> None:
    path = f"/v1/experiments/{segment(one)}"
    for answer in (await http.get(f"{path}/report"), await http.post(f"{path}/stop")):
        assert (answer.status_code, answer.json()["error"]["field"]) == (404 if len(one) <= 64 else 422, "name")


async def test_an_id_longer_than_any_is_refused_and_bytes_that_are_no_text_are(http: httpx.AsyncClient) -> None:
    for path, status in (("x" * 257, 422), ("%2F" * 257, 422), ("%ff", 400), ("", 404)):
        answer = await http.delete(f"/v1/items/{path}")
        assert answer.status_code in (status, 405), path
        assert set(answer.json()["error"]) == {"code", "message", "field"}
