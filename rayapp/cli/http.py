"""HTTP client of the running system, for the console script."""

from __future__ import annotations

from typing import Any, NoReturn

import httpx

from rayapp.config import Config
from rayapp.errors import Unavailable, UserError
from rayapp.http_client import own_client
from rayapp.parsing import Unreadable, json_object


class SystemAway(Unavailable):
    """The system's HTTP port does not answer."""


class ApiRefusal(UserError):
    """The system answered with an error; message and code are the system's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]


def base_url(config: Config) -> str:
    return f"http://{config.http_address}"


def key_header(config: Config) -> dict[str, str]:
    return {"Authorization": f"Bearer {config.api_keys[0]}"} if config.api_keys else {}


def call(config: Config, method: str, path: str, timeout: float = 60, **options: Any) -> dict[str, Any]:
    """The JSON answer; `options`: httpx's. Raises ApiRefusal for an error status, SystemAway when nothing answers."""
    headers = key_header(config) | options.pop("headers", {})
    try:
        with own_client(base_url=base_url(config), headers=headers, timeout=timeout) as client:
            answer = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise SystemAway(
            f"{base_url(config)} does not answer ({error}); check that the system is up with: rayapp status"
        ) from None
    if answer.is_error:
        raise _refusal(answer)
    try:
        return Answer(json_object(answer.content), base_url(config))
    except Unreadable:
        raise _another(base_url(config)) from None


class Answer(dict[str, Any]):
    """An answer's keys; one that ours have and this one lacks is a sign of another program."""

    def __init__(self, given: dict[str, Any], url: str) -> None:
        super().__init__(given)
        self.url = url

    def __missing__(self, _key: str) -> NoReturn:
        raise _another(self.url)


def _another(url: str) -> SystemAway:
    return SystemAway(f"what answers at {url} is no rayapp; end that program, or start the system on another port")


def _refusal(answer: httpx.Response) -> ApiRefusal:
    try:
        error = answer.json()["error"]
        return ApiRefusal(str(error["message"]), str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return ApiRefusal(f"status {answer.status_code}: {answer.text[:200]}", "error")
