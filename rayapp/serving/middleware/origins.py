"""Which web pages may call. A browser sends requests for any page that is open in it, so a page of somebody else could
drive a system that listens on this machine only: the names it is called by, and the pages that call, are checked."""

from __future__ import annotations

import re

from starlette.types import Scope

from rayapp.serving.middleware.refusal import Refusal

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
READS = ("GET", "HEAD", "OPTIONS")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+?)\.?(:\d+)?")
MAX_AGE_S = 600  # how long a browser keeps the answer to a preflight request
METHODS = b"GET, HEAD, POST, PUT, DELETE"
REQUEST_HEADERS = b"authorization, content-type"
RESPONSE_HEADERS = b"retry-after, x-request-id"


class Origins:
    """Same-origin pages and those of `allowed` may call; what comes without a browser's headers is no page."""

    def __init__(self, allowed: tuple[str, ...], *, hosts: tuple[str, ...] | None) -> None:
        """`allowed`: origins such as https://shop.example. `hosts`: names beside this machine's own that the system is
        called by; None: any name, where API keys say who may call (a page that has another name resolve to this
        machine has no key)."""
        self.allowed = frozenset(origin.lower().encode() for origin in allowed)
        self.hosts = None if hosts is None else frozenset(host.lower() for host in (*LOOPBACK, *hosts))

    def refusal(self, scope: Scope) -> Refusal | None:
        """421 for a name that is not this system's, 403 for a write by another site's page."""
        return self._misdirected(scope) or self._foreign(scope)

    def preflight(self, scope: Scope) -> list[tuple[bytes, bytes]] | None:
        """Headers of the answer to a browser that asks whether its page may call; None for any other request.

        To a page that may not, the answer has none of them, and the browser does not call.
        """
        headers = dict(scope["headers"])
        if scope["method"] != "OPTIONS" or b"origin" not in headers or b"access-control-request-method" not in headers:
            return None
        if headers[b"origin"].lower() not in self.allowed:
            return []
        return [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", REQUEST_HEADERS),
            (b"access-control-max-age", str(MAX_AGE_S).encode()),
        ]

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Of every answer: who may read it. Never credentials: this system knows no cookies."""
        if not self.allowed:
            return []
        vary = [(b"vary", b"Origin")]
        origin = dict(scope["headers"]).get(b"origin", b"")
        if origin.lower() not in self.allowed:
            return vary
        return [
            *vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", RESPONSE_HEADERS),
        ]

    def _misdirected(self, scope: Scope) -> Refusal | None:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) > 1:
            return Refusal(400, "the request has two Host headers; send one")
        if self.hosts is None or not given or _name(given[0]) in self.hosts:
            return None
        return Refusal(
            421,
            f"Host {given[0][:100].decode('latin-1')!a} is not a name of this system; without API keys use "
            "127.0.0.1, localhost or [::1], or set serving.host",
        )

    def _foreign(self, scope: Scope) -> Refusal | None:
        if scope["method"] in READS:
            return None
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").lower()
        if origin:
            # By the host alone: behind a proxy that speaks TLS the scheme of the page is another one than ours.
            if origin in self.allowed or origin.partition(b"://")[2] == headers.get(b"host", b"").lower():
                return None
        elif headers.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin"):
            return None
        return Refusal(403, "a page of another site may not write here; allow its origin in serving.origins")


def _name(host: bytes) -> str | None:
    """`Host` without its port, in lower case; None for what is no host and port."""
    found = HOST.fullmatch(host.decode("latin-1").lower())
    return found and found[1]
