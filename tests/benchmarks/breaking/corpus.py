"""Good requests and records, and what stands in their place in bad ones. It grows with what ever broke a part."""

from __future__ import annotations

from typing import Any, NamedTuple

EVENT: dict[str, Any] = {"user_id": "fuzz", "item_id": "note-00001", "scenario": "homefeed", "action": "click"}
EVENT |= {"event_id": "f", "timestamp_ms": 1_790_000_000_000, "request_id": "r", "position": 3, "query": None}
EVENT |= {"dwell_ms": 5400}
ITEM: dict[str, Any] = {"item_id": "fuzz-item", "title": "t", "body": "b", "tags": ["a"], "author": "ann"}
ITEM |= {"kind": "note", "timestamp": 1_790_000_000, "extra": {"a": 1}}
FORGET = {"forget": True, "user_id": "fuzz", "received_ms": 1_790_000_000_000}
EXPERIMENT: dict[str, Any] = {"name": "fuzz", "unit": "user", "layer": "fuzz", "namespace": [0, 0.01], "coverage": 1.0}
EXPERIMENT |= {"scenarios": ["ads"], "arms": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.5}]}
EXPERIMENT |= {"metrics": [{"name": "ctr", "kind": "ratio", "numerator": "click", "denominator": "impression"}]}
EXPERIMENT |= {"guardrails": [{"metric": "latency_p99_ms", "max": 250}]}
CHAT: dict[str, Any] = {"model": "redone", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}


LONGEST = 3_000_000  # bytes of a body or value: a text of 70,000 characters a thousand times would be more


class Route(NamedTuple):
    """`query`: parameters with a good value each; `body`: a good document."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


ROUTES = (
    Route("POST", "/v1/events", body={"events": [EVENT, EVENT]}),
    Route("GET", "/v1/feed", (("user_id", "fuzz"), ("k", "20"), ("scenario", "homefeed"), ("cursor", "c"))),
    Route("GET", "/v1/ads", (("user_id", "fuzz"), ("k", "5"), ("cursor", "c"))),
    Route("GET", "/v1/search", (("q", "coffee"), ("user_id", "fuzz"), ("k", "20"), ("cursor", "c"))),
    Route("GET", "/v1/items/{id}"),
    Route("GET", "/v1/items/{id}/similar", (("k", "5"),)),
    Route("GET", "/v1/items/{id}/queries", (("k", "5"), ("user_id", "fuzz"))),
    Route("PUT", "/v1/items", body={"items": [ITEM, ITEM]}),
    Route("DELETE", "/v1/items/{id}"),
    Route("PUT", "/v1/items/{id}/verdict", body={"decision": "allow", "reason": "fuzz"}),
    Route("POST", "/v1/moderate", body={"notes": [{"id": "n", "text": "t"}]}),
    Route("GET", "/v1/users/{id}/history", (("limit", "10"),)),
    Route("DELETE", "/v1/users/{id}"),
    Route("GET", "/v1/experiments"),
    Route("POST", "/v1/experiments", body=EXPERIMENT),
    Route("GET", "/v1/experiments/{id}/report"),
    Route("POST", "/v1/experiments/{id}/stop"),
    Route("GET", "/healthz"),
    Route("GET", "/readyz"),
    Route("GET", "/metrics"),
    Route("GET", "/"),
    Route("GET", "/docs"),
    Route("GET", "/openapi.json"),
    Route("POST", "/llm/v1/chat/completions", body=CHAT),
    Route("GET", "/llm/v1/models"),
    Route("GET", "/{id}"),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "FUZZ", "get")
RAW = "@raw@"  # a text with this in front is written without its quotation marks
NUMBERS = ("NaN", "-Infinity", "1e308", "1e999", "-1", "9" * 400, "0.1", "-0", "01", "18446744073709551616", "0x1")
DEEP = ("[" * 400 + "]" * 400, "[" * 100_000, '{"a":' * 5_000, "{}", "[]", "[[[1]]]", '{"":{"":null}}')
TEXTS = ("", " ", "\u0000", "\ud800", "\udfff\ud800", "a/b", "../..", "%00", "x" * 300, "x" * 70_000, "é" * 200)
TEXTS += ("\u202e", "{user}", "'; --", "*", "a\r\nb", "\ufeff", "𝕏", "null", "１２", "redrec@candidate")
NASTY: tuple[Any, ...] = (*(RAW + text for text in NUMBERS + DEEP), *TEXTS, None, True, False, 0, -1, 2**63, 1.5)
IDS = (
    b"note-00001",
    b"fuzz",
    b"a%2Fb",
    b"a/b",
    b"%2e%2e%2f",
    b"..",
    b".",
    b"%00",
    b"%",
    b"%zz",
    b"%ff%fe",
    b"%ED%A0%80",
)
IDS += (
    b"%F0%9F%98%80",
    b"x" * 256,
    b"x" * 257,
    b"x" * 9_000,
    b"%20",
    b"+",
    b"%2525",
    b";a=b",
    b"%0d%0a",
    b"{id}",
    b"\xff",
)
IDS += (b"", b"/", b"//", b"fuzz%3Fk=1", b"fuzz#a", b"nobody", b"*", b"%7B%7D")
VALUES = (
    b"",
    b"NaN",
    b"inf",
    b"-1",
    b"0",
    b"1e9",
    b"9" * 400,
    b"%EF%BC%91",
    b"%00",
    b"%ff",
    b"%ED%A0%80",
    b"[]",
    b"200",
)
VALUES += (b"1.0", b"true", b"null", b"%", b"x" * 600, b"a%26b", b"%0a", b"+", b"homefeed", b"nowhere", b"%F0%9F%98%80")
HEADERS = (
    (b"content-type", b"text/plain"),
    (b"content-type", b"application/json; charset=utf-16"),
    (b"content-type", b"multipart/form-data; boundary="),
    (b"content-type", b"application/x-www-form-urlencoded"),
    (b"content-type", b"\xff\xfe"),
    (b"content-encoding", b"gzip"),
    (b"accept", b"*/*;q=NaN"),
    (b"authorization", b"Bearer \xff"),
    (b"authorization", b"Basic ::::"),
    (b"x-request-id", b"\xff" * 300),
    (b"x-request-id", b""),
    (b"serve_multiplexed_model_id", b"fuzz"),
    (b"serve-multiplexed-model-id", b"\xff"),
    (b"traceparent", b"00-zz-zz-01"),
    (b"cookie", b"a=" + b"b" * 4000),
    (b"x-long", b"b" * 70_000),
    (b"host", b"fuzz.example"),
    (b"expect", b"100-continue"),
    (b"range", b"bytes=9-1"),
    (b"if-modified-since", b"never"),
    (b"origin", b"null"),
    (b"upgrade", b"websocket"),
    (b"content-length", b"5"),
    (b"content-length", b"-1"),
    (b"content-length", b"1e3"),
    (b"content-length", b"999999999999"),
    (b"content-length", "²".encode("latin-1")),
    (b"transfer-encoding", b"chunked"),
    (b"transfer-encoding", b"gzip"),
)
