"""The page of the HTTP API needs nothing from elsewhere."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.testclient import TestClient

from rayapp.serving.http import docs_page


def test_every_file_that_the_page_names_is_served_here_under_a_strict_policy() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    docs_page.install(app)
    client = TestClient(app)
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 3
    assert not re.search(r"https?://|//", page.text)
    for file in files:
        answer = client.get(f"/{file}")
        assert answer.status_code == 200
        assert len(answer.content) > 50
        assert answer.headers["x-content-type-options"] == "nosniff"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert client.get("/redoc").status_code == 404
