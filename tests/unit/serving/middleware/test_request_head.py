"""A query means one text, or is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from rayapp.serving.middleware.request_head import head_refusal

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def scope_of(query: bytes) -> dict[str, Any]:
    return {"type": "http", "path": "/v1/feed", "raw_path": b"/v1/feed", "query_string": query, "headers": []}


@given(IDS)
@example("é")
@example("a&b=c")
@example("%FF")
@example("a+b c")
def test_an_id_in_a_query_is_read_as_it_was_sent(user: str) -> None:
    scope = scope_of(f"user_id={quote(user, safe='')}".encode())
    assert head_refusal(scope) is None
    assert Request(scope).query_params["user_id"] == user


def test_utf_8_that_was_not_encoded_is_the_same_id() -> None:
    scope = scope_of("user_id=é😀&k=5".encode())
    assert head_refusal(scope) is None
    assert dict(Request(scope).query_params) == {"user_id": "é😀", "k": "5"}


@pytest.mark.parametrize("value", [b"%FF", b"%ff%fe", b"\xff", b"%C3", b"%ED%A0%80", "é".encode("latin-1")])
def test_what_is_no_utf_8_is_refused_and_not_replaced(value: bytes) -> None:
    refusal = head_refusal(scope_of(b"user_id=" + value))
    assert refusal is not None
    assert (refusal.status, "UTF-8" in refusal.message) == (400, True)
