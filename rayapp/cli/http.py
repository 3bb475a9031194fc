"""The running system's HTTP surface, for the console script."""

from __future__ import annotations

from typing import Any

import httpx

from rayapp.config import Config, ConfigError


def base_url(config: Config) -> str:
    host = "127.0.0.1" if config.host == "0.0.0.0" else config.host
    return f"http://{host}:{config.ports.http}"


def key_header(config: Config) -> dict[str, str]:
    return {"Authorization": f"Bearer {config.api_keys[0]}"} if config.api_keys else {}


def call(config: Config, method: str, path: str, timeout: float = 60, **options: Any) -> dict[str, Any]:
    """A JSON answer. Raises ConfigError with the server's own words for anything but success."""
    try:
        answer = httpx.request(method, base_url(config) + path, headers=key_header(config), timeout=timeout, **options)
    except httpx.HTTPError as error:
        raise ConfigError(
            f"{base_url(config)} does not answer ({error}); is the system up? See: rayapp status"
        ) from None
    if answer.is_success:
        return answer.json()
    raise ConfigError(_said(answer))


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}: {answer.text[:200]}"
