"""What comes before a body, the URL and the headers: its limits and its encoding."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from starlette.types import Scope

from rayapp.serving.middleware.refusal import Refusal

MAX_URL = 16 * 1024  # bytes of path and query; a user id and a query of ours have some five thousand
MAX_HEADERS = 32 * 1024  # bytes as they were sent
AROUND = len(": \r\n")
ASCII = "".join(map(chr, range(128)))


def head_refusal(scope: Scope) -> Refusal | None:
    """414 or 431 for what is larger than any client of ours sends."""
    url = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if url > MAX_URL:
        return Refusal(414, f"the URL has {url:,} bytes, at most {MAX_URL:,}; shorten it")
    headers = sum(len(name) + len(value) + AROUND for name, value in scope["headers"])
    if headers > MAX_HEADERS:
        return Refusal(431, f"the headers have {headers:,} bytes, at most {MAX_HEADERS:,}; shorten them")
    return _query_refusal(scope)


def _query_refusal(scope: Scope) -> Refusal | None:
    """400 for a query that is not UTF-8: replacing what cannot be read would be another id.

    Bytes beyond ASCII that are not percent-encoded are encoded, or each would be read as a character of its own.
    """
    query: bytes = scope["query_string"]
    if b"%" not in query and query.isascii():
        return None
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return Refusal(400, "the query is not UTF-8; percent-encode the UTF-8 bytes of its values")
    scope["query_string"] = quote(query, safe=ASCII).encode()
    return None
