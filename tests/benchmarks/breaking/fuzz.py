"""Requests and records as no client should send them, made from good ones, the same for the same seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.benchmarks.breaking.corpus import (
    DEEP,
    EVENT,
    FORGET,
    HEADERS,
    IDS,
    ITEM,
    LONGEST,
    METHODS,
    NASTY,
    NUMBERS,
    RAW,
    ROUTES,
    TEXTS,
    VALUES,
    Route,
)


class Request(NamedTuple):
    """`content`: everything to send, line and headers included; `route`: what it was made from."""

    route: str
    content: bytes


def dumped(document: Any) -> bytes:
    """As JSON, with raw texts as they are."""
    text = json.dumps(document)
    for nasty in NUMBERS + DEEP:
        text = text.replace(json.dumps(RAW + nasty), nasty)
    return text.encode()


class Fuzz:
    """Every draw comes from `rng`."""

    def __init__(self, rng: np.random.Generator, largest: int = 900_000) -> None:
        self.rng, self.largest = rng, largest
        changes: tuple[Callable[[bytes], bytes], ...] = (self._cut, self._flipped, self._inserted, self._repeated)
        self.changes = (*changes, lambda b: b"\xef\xbb\xbf" + b, gzip.compress, self._utf_16, lambda _: b"")

    def pick(self, among: tuple[Any, ...]) -> Any:
        return among[int(self.rng.integers(len(among)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def document(self, good: Any) -> bytes:
        """The document with some nodes changed, and now and then its bytes."""
        changed = json.loads(json.dumps(good))
        for _ in range(int(self.rng.integers(3))):
            changed = self._changed(changed)
        content = dumped(changed)
        return (self.pick(self.changes)(content) if self.chance(0.3) else content)[:LONGEST]

    def record(self, topic: str) -> tuple[bytes | None, bytes | None]:
        """(key, value) for a topic: `behaviour` or `items`."""
        key = self.pick((b"fuzz", b"", None, b"\xff\xfe", b"\x00", b"k" * 5_000, b"p"))
        kind = self.rng.random()
        if kind < 0.03:
            return key, None  # a tombstone
        if kind < 0.2:
            return key, self._bytes()
        return key, self.document(ITEM if topic == "items" else self.pick((EVENT, EVENT, EVENT, FORGET)))[
            : self.largest
        ]

    def request(self) -> Request:
        route: Route = self.pick(ROUTES)
        method = self.pick(METHODS) if self.chance(0.1) else route.method
        path = b"/".join(self.pick(IDS) if part == "{id}" else part.encode() for part in route.path.split("/"))
        query = [(n.encode(), self.pick(VALUES) if self.chance(0.3) else v.encode()) for n, v in route.query]
        query = [pair for pair in query if not self.chance(0.1)]
        if self.chance(0.1):
            query.append((self.pick(VALUES), self.pick(VALUES)))
        if query:
            path += b"?" + b"&".join(name + b"=" + value for name, value in query)
        body = b"" if route.body is None and not self.chance(0.05) else self.document(route.body)
        headers = [(b"host", b"127.0.0.1"), (b"connection", b"close")]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if self.chance(0.15):
            name, value = self.pick(HEADERS)
            headers = [h for h in headers if h[0] != name or self.chance(0.1)] + [(name, value)]
        if self.chance(0.02):
            body = body[: len(body) // 2]
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        line = b"%s %s HTTP/%s\r\n" % (method.encode(), path, b"1.0" if self.chance(0.02) else b"1.1")
        return Request(f"{route.method} {route.path}", line + lines + b"\r\n" + body)

    def _changed(self, node: Any) -> Any:
        """One place of a document changed: another value, a key less or more, or an element many times."""
        inner = isinstance(node, dict | list) and len(node) > 0 and self.chance(0.85)
        if not inner:
            return self.pick(NASTY)
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[int(self.rng.integers(len(keys)))]
        kind = self.rng.random()
        if kind < 0.1:
            del node[key]
        elif kind < 0.2 and isinstance(node, dict):
            node[self.pick(TEXTS)] = self.pick(NASTY)
        elif kind < 0.22 and isinstance(node, list):
            node *= self.pick((10, 300, 1001))
        else:
            node[key] = self._changed(node[key])
        return node

    def _bytes(self) -> bytes:
        """Any bytes: seldom many."""
        largest = self.largest if self.chance(0.02) else 2_000
        size = int(np.exp(self.rng.uniform(0, np.log(largest))))
        return self.rng.bytes(size) if self.chance(0.5) else self.pick((b"[", b"x", b'{"a":', b"\x00"))[:1] * size

    def _cut(self, content: bytes) -> bytes:
        return content[: int(self.rng.integers(len(content) + 1))]

    def _flipped(self, content: bytes) -> bytes:
        changed = bytearray(content or b"x")
        changed[int(self.rng.integers(len(changed)))] ^= 1 << int(self.rng.integers(8))
        return bytes(changed)

    def _inserted(self, content: bytes) -> bytes:
        at = int(self.rng.integers(len(content) + 1))
        return content[:at] + self.rng.bytes(int(self.rng.integers(1, 9))) + content[at:]

    def _repeated(self, content: bytes) -> bytes:
        return content * 2

    def _utf_16(self, content: bytes) -> bytes:
        return content.decode().encode("utf-16")
