"""What clients see: feeds, search, ads, items, users and errors."""

from __future__ import annotations

import contextlib
import socket
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.conftest import System
from tests.helpers import eventually


def test_a_click_changes_the_feed_and_never_comes_back(system: System) -> None:
    before = system.get("/v1/feed", user_id="loop")
    assert {i["source"] for i in before["items"]} <= {"popular", "fresh", "explore"}
    coffee = [i["item_id"] for i in system.get("/v1/search", q="espresso coffee grinder", k=5)["items"]]
    system.click("loop", coffee)
    after = system.get("/v1/feed", user_id="loop")
    assert {i["source"] for i in after["items"]} <= {"redrec", "explore"}
    assert all(i["reason"] for i in after["items"])
    shown = [i["item_id"] for i in after["items"]]
    assert len(shown) == len(set(shown)) == 20
    assert not set(shown) & set(coffee)
    assert set(shown) != {i["item_id"] for i in before["items"]}
    assert (after["user_id"], after["scenario"], after["experiments"], after["exhausted"]) == (
        "loop",
        "homefeed",
        {},
        False,
    )


@pytest.mark.parametrize("topic", ["coffee", "finance"])
def test_five_clicks_on_a_topic_bring_that_topic(system: System, topic: str) -> None:
    user = f"fan-of-{topic}"
    found = system.get("/v1/search", q=topic, k=50)["items"]

    def about(item_id: str) -> bool:
        return system.get(f"/v1/items/{item_id}")["tags"][0] == topic

    before = sum(map(about, system.feed_ids(user)))
    system.click(user, [i["item_id"] for i in found if about(i["item_id"])][:5])
    after = sum(map(about, system.feed_ids(user)))
    assert before <= 4
    assert after >= 12  # of 20; there are thirty topics, and this first model had 40 s of training


def test_an_unknown_users_start_is_diverse(system: System) -> None:
    items = system.get("/v1/feed", user_id="nobody-yet")["items"]
    topics = {system.get(f"/v1/items/{i['item_id']}")["tags"][0] for i in items}
    assert len(topics) >= 12
    assert {i["source"] for i in items} >= {"popular", "fresh"}


def test_pages_repeat_nothing(system: System) -> None:
    system.click("scroller", system.feed_ids("scroller", k=3))
    first = system.get("/v1/feed", user_id="scroller", k=30)
    seen = {i["item_id"] for i in first["items"]}
    cursor = first["cursor"]
    for _ in range(3):
        page = system.get("/v1/feed", user_id="scroller", k=30, cursor=cursor)
        ids = {i["item_id"] for i in page["items"]}
        assert len(ids) == 30
        assert not ids & seen
        seen |= ids
        cursor = page["cursor"]


def test_a_hidden_item_is_gone_and_three_impressions_are_enough(system: System) -> None:
    shown = system.feed_ids("picky")
    base = {"user_id": "picky", "scenario": "homefeed"}
    system.post_events({**base, "item_id": shown[0], "action": "hide"})
    for n in range(3):
        system.post_events({**base, "item_id": shown[1], "action": "impression", "event_id": f"picky-{n}"})
    for _ in range(3):  # one event three times is one impression
        system.post_events({**base, "item_id": shown[2], "action": "impression", "event_id": "picky-same"})
    eventually(lambda: not {shown[0], shown[1]} & set(system.feed_ids("picky", k=200)), 30, "hidden and seen are gone")
    assert shown[2] in system.feed_ids("picky", k=200)


def test_a_new_item_is_found_and_a_deleted_one_is_not(system: System) -> None:
    item = {"item_id": "zebra-1", "title": "Zebra origami for absolute dreamers", "tags": ["origami"]}
    answer = system.http.put("/v1/items", json={"items": [item, {"item_id": "no-title"}]})
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"][0]["index"] == 1

    def found() -> bool:
        return "zebra-1" in [i["item_id"] for i in system.get("/v1/search", q="zebra origami")["items"][:1]]

    eventually(found, 30, "the new item in search")
    assert "zebra-1" in system.feed_ids("stranger", k=20), "new items are in an unknown user's start"
    similar = system.get("/v1/items/zebra-1/similar", k=5)["items"]
    assert len(similar) == 5
    assert "zebra-1" not in [i["item_id"] for i in similar]
    assert system.http.delete("/v1/items/zebra-1").status_code == 202
    eventually(lambda: not found(), 30, "the deleted item gone")
    assert system.http.get("/v1/items/zebra-1").status_code == 404
    assert system.http.delete("/v1/items/zebra-1").status_code == 404


def test_search_reads_the_text_and_says_where_its_understanding_comes_from(system: System) -> None:
    body = system.get("/v1/search", q="sourdough croissant baking", user_id="s", k=10)
    tags = [system.get(f"/v1/items/{i['item_id']}")["tags"][0] for i in body["items"]]
    assert tags.count("baking") >= 8
    assert body["understanding"] == {"intent": None, "expansions": [], "source": "none", "cached": False}


def test_ads_are_ads_and_capped(system: System) -> None:
    def offered() -> list[str]:
        """All ads, in two pages: exploration may put another one in any place of the first."""
        page = system.get("/v1/ads", user_id="shopper", k=200)
        more = system.get("/v1/ads", user_id="shopper", k=200, cursor=page["cursor"])
        return [i["item_id"] for i in page["items"] + more["items"]]

    ads = system.get("/v1/ads", user_id="shopper", k=5)["items"]
    assert len(ads) == 5
    assert all(system.get(f"/v1/items/{i['item_id']}")["kind"] == "ad" for i in ads)
    first = ads[0]["item_id"]
    base = {"user_id": "shopper", "scenario": "ads", "item_id": first}
    system.post_events({**base, "action": "click"}, {**base, "action": "impression"})
    eventually(lambda: system.history("shopper"), 30, "the click")
    assert first in offered()
    system.post_events(*({**base, "action": "impression"} for _ in range(2)))
    eventually(lambda: first not in offered(), 30, "the ad capped after three impressions")


def test_a_deleted_user_is_forgotten(system: System) -> None:
    items = system.feed_ids("leaver", k=4)
    system.click("leaver", items)
    answer = system.http.delete("/v1/users/leaver")
    assert answer.status_code == 202
    assert "not unlearned" in answer.json()["message"]
    eventually(lambda: system.history("leaver") == [], 30, "the history gone")
    assert {i["source"] for i in system.get("/v1/feed", user_id="leaver")["items"]} <= {"popular", "fresh", "explore"}


def test_events_are_answered_one_by_one(system: System) -> None:
    good = {"user_id": "many", "item_id": "note-00001", "scenario": "homefeed", "action": "click", "event_id": "same"}
    body = system.post_events(good, {**good, "scenario": "nope"}, {"user_id": "many"}, 7, good)
    assert body["accepted"] == 2
    assert [r["index"] for r in body["rejected"]] == [1, 2, 3]
    assert body["rejected"][0]["field"] == "scenario"
    eventually(lambda: len(system.history("many")) == 1, 30, "the duplicate counts once")
    assert system.post_events({}, {})["accepted"] == 0
    half = b'{"events": [{"user_id": "\\ud800", "item_id": "i", "scenario": "homefeed", "action": "click"}]}'
    answer = system.http.post("/v1/events", content=half, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/feed", None, 422),
        ("GET", "/v1/feed?user_id=", None, 422),
        ("GET", "/v1/feed?user_id=u&k=0", None, 422),
        ("GET", "/v1/feed?user_id=u&k=x", None, 422),
        ("GET", "/v1/feed?user_id=u&scenario=nope", None, 422),
        ("GET", "/v1/feed?user_id=u&cursor=nope", None, 400),
        ("GET", f"/v1/feed?user_id={'x' * 300}", None, 422),
        ("GET", "/v1/feed?user_id=%ff%fe", None, 400),
        ("GET", "/v1/search", None, 422),
        ("GET", "/v1/search?q=%20%20", None, 422),
        ("GET", "/v1/search?q=%00%F0%9F%98%80", None, 200),
        ("GET", "/v1/items/ghost", None, 404),
        ("GET", "/v1/items/ghost/similar", None, 404),
        ("GET", "/v1/users/u/history?limit=0", None, 422),
        ("POST", "/v1/events", b"{{", 422),
        ("POST", "/v1/events", b"[]", 422),
        ("POST", "/v1/events", b'{"events": []}', 422),
        ("POST", "/v1/events", b'{"events": {}}', 422),
        ("POST", "/v1/events", b'{"events": [' + b"1," * 1000 + b"1]}", 413),
        ("POST", "/v1/events", b"\xff\xfe", 422),
        ("PUT", "/v1/items", b'{"items": []}', 422),
        ("DELETE", "/v1/feed", None, 405),
        ("GET", "/nothing", None, 404),
    ],
)
def test_bad_requests_have_the_contracts_shape(
    system: System, method: str, path: str, body: bytes | None, status: int
) -> None:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = system.http.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status != 200:
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "field"}
        assert error["message"]


@pytest.mark.parametrize("item_id", ["books/sci-fi/42", "a%2Fb", "/"])
def test_an_id_with_a_slash_has_an_address_through_serves_proxy(system: System, item_id: str) -> None:
    item = {"item_id": item_id, "title": "a note about slashes"}
    assert system.http.put("/v1/items", json={"items": [item]}).json()["accepted"] == 1
    path = f"/v1/items/{quote(item_id, safe='')}"
    stored = eventually(lambda: (a := system.http.get(path)).status_code == 200 and a.json(), 15, item_id)
    assert stored["item_id"] == item_id
    assert system.http.get(f"{path}/similar").status_code == 200
    assert system.http.delete(path).json()["item_id"] == item_id
    eventually(lambda: system.http.get(path).status_code == 404, 30, f"{item_id} gone")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"X-Request-ID": b"\xff", "X-Request-Timeout-Seconds": b"0.000001"}, 422),
        ({"X-Session-ID": b"\xff", "serve_multiplexed_model_id": b"\xff"}, 422),
        ({"X-Long": "x" * 40_000}, 431),
    ],
)
def test_headers_neither_fool_nor_fail_the_proxy(system: System, headers: dict[str, Any], status: int) -> None:
    answer = system.http.post("/v1/experiments", content=b"{}", headers=headers)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "field"}


def test_half_sent_requests_stop_nobody(system: System) -> None:
    """65 of them did, for a minute."""
    head = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"
    with contextlib.ExitStack() as opened:
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", system.config.ports.http), timeout=30)
            opened.enter_context(connection).sendall(head)
        assert all(len(system.feed_ids("reader", k=5)) == 5 for _ in range(10))
        system.post_events({"user_id": "reader", "item_id": "note-00001", "scenario": "homefeed", "action": "click"})


def test_without_the_language_model_the_rest_works_and_the_classifier_judges(system: System) -> None:
    texts = ["a walk by the lake", "kill yourself, nobody would miss you"]
    notes = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    answer = system.http.post("/v1/moderate", json={"notes": notes}, timeout=60)
    assert answer.status_code == 200, answer.text
    walk, harm = answer.json()["verdicts"]
    assert (walk["decision"], harm["decision"]) == ("allow", "block")
    assert {v["stage"] for v in (walk, harm)} == {"fast"}
    system.put_note("harmful-1", f"{texts[1]}, zirconium")
    eventually(lambda: (system.verdict("harmful-1") or {}).get("decision") == "block", 60, "a verdict")
    assert "llm" not in system.get("/readyz")["components"]
    assert system.processes("VLLM") == []


def test_health_readiness_openapi_and_metrics(system: System) -> None:
    assert system.get("/healthz") == {"status": "ok"}
    assert system.get("/readyz")["ready"]
    eventually(lambda: all(system.get("/readyz")["components"].values()), 30, "every component")
    paths = system.get("/openapi.json")["paths"]
    assert {
        "/v1/events",
        "/v1/feed",
        "/v1/ads",
        "/v1/search",
        "/v1/items/{item_id}",
        "/v1/items",
        "/v1/moderate",
    } <= set(paths)
    system.click("metered", ["note-00002"])
    assert system.feed_ids("metered")

    def exported() -> bool:
        text = system.http.get("/metrics").text
        names = ("rayapp_requests_total", "rayapp_stage_seconds_bucket", "rayapp_freshness_seconds_bucket")
        return all(
            name in text
            for name in (
                *names,
                'stage="history"',
                "rayapp_model_version_info",
                "rayapp_consumer_lag",
            )
        )

    eventually(exported, 30, "the series of gateway and history writer")
    assert "ray_rayapp" not in system.http.get("/metrics").text
