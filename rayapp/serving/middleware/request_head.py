"""Limits of what comes before a body: the URL and the headers."""

from __future__ import annotations

from starlette.types import Scope

from rayapp.serving.middleware.refusal import Refusal

MAX_URL = 16 * 1024  # bytes of path and query; a user id and a query of ours have some five thousand
MAX_HEADERS = 32 * 1024  # bytes as they were sent
AROUND = len(": \r\n")


def head_refusal(scope: Scope) -> Refusal | None:
    """414 or 431 for what is larger than any client of ours sends."""
    url = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if url > MAX_URL:
        return Refusal(414, f"the URL has {url:,} bytes, at most {MAX_URL:,}; shorten it")
    headers = sum(len(name) + len(value) + AROUND for name, value in scope["headers"])
    if headers > MAX_HEADERS:
        return Refusal(431, f"the headers have {headers:,} bytes, at most {MAX_HEADERS:,}; shorten them")
    return None
