"""HTTP clients for addresses of this system: without the proxy that the environment names for the world outside."""

from __future__ import annotations

from typing import Any

import httpx


def own_client(**options: Any) -> httpx.Client:
    """`options`: those of httpx.Client. The proxy and the .netrc of the environment are not for our own addresses."""
    return httpx.Client(trust_env=False, **options)


def own_async_client(**options: Any) -> httpx.AsyncClient:
    """`options`: those of httpx.AsyncClient; see own_client."""
    return httpx.AsyncClient(trust_env=False, **options)


def outer_async_client(**options: Any) -> httpx.AsyncClient:
    """For an address that somebody else gave (a language model elsewhere): through the environment's proxy."""
    return httpx.AsyncClient(**options)
