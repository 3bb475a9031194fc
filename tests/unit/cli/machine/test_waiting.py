from __future__ import annotations

import httpx
import pytest

from rayapp.cli.machine.waiting import _said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(503, json={"error": {"code": "unavailable", "message": "the system is starting"}}),
            "the system",
        ),
        (httpx.Response(503, json={"ready": False, "model": "1"}), '{"ready":false'),
        (httpx.Response(200, json=[]), "[]"),
        (httpx.Response(502, text="x" * 300), "x" * 200),
    ],
)
def test_what_a_start_waits_for_is_said_in_its_own_words(answer: httpx.Response, said: str) -> None:
    found = _said(answer)
    assert found.startswith(said)
    assert len(found) <= 200
