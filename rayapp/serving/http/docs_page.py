"""The OpenAPI document as a page at `/docs`: Swagger UI from the package index, served by this system."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable

from fastapi import FastAPI, Response

from rayapp.serving.http.console import HEADERS as STRICT

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>rayapp: HTTP API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true});\n'
# Swagger UI writes styles into elements; scripts are files of this origin alone, as in the console.
HEADERS = STRICT | {
    "content-security-policy": STRICT["content-security-policy"].replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    )
}


def install(app: FastAPI) -> None:
    files = importlib.resources.files("fastapi_swagger") / "resources"
    for path, body, kind in (
        ("/docs", PAGE.encode(), "text/html"),
        ("/docs/start.js", START.encode(), "text/javascript"),
        ("/docs/swagger-ui-bundle.js", (files / "swagger-ui-bundle.js").read_bytes(), "text/javascript"),
        ("/docs/swagger-ui.css", (files / "swagger-ui.css").read_bytes(), "text/css"),
    ):
        app.add_api_route(path, _sender(body, f"{kind}; charset=utf-8"), include_in_schema=False)


def _sender(body: bytes, kind: str) -> Callable[[], Response]:
    def send() -> Response:
        return Response(body, media_type=kind, headers=HEADERS)

    return send
