"""Nothing that a client sends is answered with a 500, and every refusal has the contract's shape.

`odd_requests.jsonl` has a line for each fault that was found, and for its kin. A line is a route (`*`: every route
that takes a body) and a body: text, `hex`, or `repeat`, a part many times between a beginning and an end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "odd_requests.jsonl").read_text().splitlines()]
VALID: dict[str, Any] = {
    "POST /v1/events": {
        "events": [
            {
                "event_id": "e", "user_id": "u", "item_id": "i1", "scenario": "homefeed", "action": "click",
                "timestamp_ms": 1_790_000_000_000, "request_id": "r", "position": 3, "query": "q", "dwell_ms": 5,
            }
        ]
    },
    "PUT /v1/items": {
        "items": [
            {
                "item_id": "a", "title": "t", "body": "b", "tags": ["x"], "image": "i.png", "lang": "en", "author": "a",
                "kind": "note", "scenario": "homefeed", "timestamp": 1_790_000_000, "extra": {"g": "x"}, "genre": "y",
            }
        ]
    },
    "POST /v1/moderate": {"notes": [{"id": "a", "text": "x"}]},
    "PUT /v1/items/i1/verdict": {"decision": "allow", "reason": "r"},
    "POST /v1/experiments": {
        "name": "n", "layer": "l", "unit": "user", "namespace": [0, 1], "coverage": 1.0, "scenarios": ["homefeed"],
        "arms": [
            {"name": "a", "weight": 0.5},
            {
                "name": "b", "weight": 0.5,
                "params": {
                    "model": "redrec@1", "ranker": "popular", "k": 5, "history": "all", "explore": 0.5,
                    "moderation": "off", "llm": False, "post_view": True, "interleave": {"model": "redrec@1"},
                },
            },
        ],
        "metrics": [
            {"name": "m", "kind": "mean", "action": "click"},
            {"name": "r", "kind": "ratio", "numerator": "click", "denominator": "items"},
        ],
        "guardrails": [{"metric": "latency_p99_ms", "max": 250, "min": 0}],
    },
}  # fmt: skip
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 3.0, 2**53 + 1, 2**63, -(2**63), 10**40, 1e300, -1e300, 5e-324, "", " ", "\0", "é", "😀", "\u202e",
    "a/b", "../x", "redrec@", "@", "2020-13-41", "1e400", "nan", "x" * 257, "x" * 21_000, "7" * 5000, [], {}, [[]], [None],
    {"a": 1}, [{}], ["x"] * 300, {"": ""}, {"a": {"b": {"c": {}}}}, "NaN", float("nan"), float("inf"),
]  # fmt: skip
ROUTES = sorted(VALID)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to every part of a JSON value."""
    if at:
        yield at
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*at, key))


def changed(value: Any, at: tuple[Any, ...], odd: Any) -> Any:
    copy = json.loads(json.dumps(value))
    inside = copy
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = odd
    return copy


def body_of(line: dict[str, Any]) -> bytes:
    if "hex" in line:
        return bytes.fromhex(line["hex"])
    if "repeat" in line:
        before, part, times, after = line["repeat"]
        return f"{before}{part * times}{after}".encode()
    return line["body"].encode()


def check(answer: httpx.Response, sent: Any) -> None:
    """The contract: never a 500, and errors of one shape."""
    said = answer.json()
    told = f"{str(sent)[:300]}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, told
    if answer.status_code >= 400:
        assert set(said["error"]) == {"code", "message", "field"}, told
        assert said["error"]["message"], told
        assert "\n" not in said["error"]["message"], told
        assert not any(word in answer.text for word in ("Traceback", "Exception", "msgspec", "pydantic")), told
    for one in said.get("rejected", []):
        assert one["error"], told


@pytest.mark.parametrize("route", ROUTES)
async def test_bodies_that_were_faults_once_are_refused_or_taken(http: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    mine = [line for line in CORPUS if line["route"] in ("*", route)]
    assert len(mine) > 20
    for line in mine:
        answer = await http.request(method, path, content=body_of(line), headers={"Content-Type": "application/json"})
        check(answer, line)
        if line["route"] == "*":
            assert answer.status_code in (413, 422), line
    for name in await names_of(http):  # what was taken can be read, and ended
        assert (await http.post(f"/v1/experiments/{name}/stop")).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
async def test_any_part_of_a_body_may_be_anything(http: httpx.AsyncClient, route: str) -> None:
    method, path = route.split()
    draw = random.Random(7)
    valid = VALID[route]
    assert (await http.request(method, path, json=valid)).status_code in (200, 201, 202, 503)
    sent = [changed(valid, at, odd) for at in places(valid) for odd in draw.sample(ODD, 14)]
    for body in sent:
        text = json.dumps(body)  # NaN and Infinity as Python writes them, and text as \u escapes
        answer = await http.request(method, path, content=text, headers={"Content-Type": "application/json"})
        check(answer, body)
    await names_of(http)


async def names_of(http: httpx.AsyncClient) -> list[str]:
    listed = await http.get("/v1/experiments")
    assert listed.status_code == 200, listed.text
    return [one["experiment"]["name"] for one in listed.json()["experiments"]]


QUERIES = [
    "", "k=x", "k=0", "k=-1", "k=201", "k=1e3", "k=1_0", "k=%EF%BC%99", "k=" + "9" * 5000, "k=NaN", "k=", "k=1&k=2", "limit=0",
    "limit=10001", "cursor=", "cursor=nope", "cursor=%00", "cursor=" + "x" * 65, "scenario=nope", "scenario=", "scenario=%00",
    "user_id=", "user_id=%ff%fe", "user_id=%ED%A0%80", "user_id=" + "x" * 257, "user_id=%00", "user_id[]=a", "user_id=a%2Fb",
    "q=", "q=%20", "q=%00%F0%9F%98%80", "q=" + "x" * 501, "q=%22", "q=%22a%20AND%20(", "q=a%3Ab%5E2~*", "%00=%00", "&&&=", "=",
]  # fmt: skip
READS = [
    "/v1/feed", "/v1/ads", "/v1/search", "/v1/items/i1", "/v1/items/i1/similar", "/v1/items/i1/queries",
    "/v1/users/u/history", "/v1/experiments", "/v1/experiments/n/report", "/healthz", "/v1/nothing", "/v1/feed/",
]  # fmt: skip


@pytest.mark.parametrize("path", READS)
async def test_any_query_is_answered(http: httpx.AsyncClient, path: str) -> None:
    for query in QUERIES:
        for given in (query, f"user_id=u&q=coffee&{query}"):
            check(await http.get(f"{path}?{given}"), f"{path}?{given}")


async def test_a_record_that_is_larger_than_the_log_takes_costs_itself_alone(http: httpx.AsyncClient) -> None:
    """It was 503 with Retry-After, again and again."""
    large = {"item_id": "large", "title": "t", "tags": ["tag" * 60] * 6000}
    answer = await http.put("/v1/items", json={"items": [{"item_id": "x", "title": "t"}, large, 7]})
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], [one["index"] for one in said["rejected"]]) == (1, [1, 2])
    assert "at most 900,000" in said["rejected"][0]["error"]


@pytest.mark.parametrize(
    "path", ["/v1/feed?user_id=u&k=0", "/v1/feed?user_id=u&scenario=x", "/v1/users/u/history?limit=x"]
)
async def test_a_refusal_says_what_was_given_and_what_is_allowed(http: httpx.AsyncClient, path: str) -> None:
    said = (await http.get(path)).json()["error"]
    given = path.rpartition("=")[2]
    assert f"'{given}'" in said["message"]
    assert any(word in said["message"] for word in ("greater than or equal to 1", "use one of", "valid integer"))
