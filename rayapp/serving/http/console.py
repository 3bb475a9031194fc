"""The console at `/`: static files of this package, and a policy that lets nothing else in."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable

from fastapi import FastAPI, Response

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    # Scripts and styles of this origin alone, none inline: a note that brings markup stays text, and nothing is fetched
    # from elsewhere.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
FILES = {
    "/" if file.name == "index.html" else f"/console/{file.name}": file
    for file in importlib.resources.files("rayapp.console").iterdir()
    if any(file.name.endswith(ending) for ending in TYPES)
}
PATHS = frozenset(FILES)


def install(app: FastAPI) -> None:
    """A route a file: what is not one of them does not exist."""
    for path in FILES:
        app.add_api_route(path, _sender(path), include_in_schema=False)


def _sender(path: str) -> Callable[[], Response]:
    body = FILES[path].read_bytes()
    kind = TYPES["." + FILES[path].name.rpartition(".")[2]]

    def send() -> Response:
        return Response(body, media_type=f"{kind}; charset=utf-8", headers=HEADERS)

    return send
