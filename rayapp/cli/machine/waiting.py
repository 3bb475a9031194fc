"""What `rayapp up` waits for, with progress."""

from __future__ import annotations

import contextlib
import json
import time

import httpx
from click import echo as say

from rayapp.cli.http import base_url
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import SupervisionError
from rayapp.cli.status import lag
from rayapp.config import Config
from rayapp.http_client import own_client
from rayapp.stores.open import open_store
from rayapp.stores.records import Urgency
from rayapp.stores.registry import Registry

READY_S = 240.0
MODEL_READY_S = 900.0
CAUGHT_UP = 100


def wait_for_ray(config: Config, layout: Layout) -> None:
    """Until the Ray head's job API answers."""
    url = f"http://127.0.0.1:{config.ports.dashboard}/api/version"
    client = own_client(headers={"Authorization": f"Bearer {layout.ray_token()}"}, timeout=2)
    deadline = time.monotonic() + 120
    while True:
        try:
            if client.get(url).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise SupervisionError(f"Ray did not start; see {layout.logs / 'ray.log'}")
        time.sleep(0.2)
    say(f"ray dashboard http://127.0.0.1:{config.ports.dashboard} (token in {layout.token})")


def wait_ready(config: Config, layout: Layout) -> str:
    """Until /readyz reports the whole system ready; returns its URL."""
    url = base_url(config)
    client = own_client(timeout=5)  # reused: creating a client costs more than a request
    deadline = time.monotonic() + READY_S
    shown = ""
    while True:
        try:
            answer = client.get(f"{url}/readyz")
            if answer.status_code == 200 and answer.json().get("ready"):
                return url
            state = _said(answer)
        except (httpx.HTTPError, json.JSONDecodeError):
            state = "the gateway is starting"
        if state != shown:
            shown = state
            say(f"waiting: {state}")
        if time.monotonic() > deadline:
            raise SupervisionError(
                f"not ready after {READY_S:.0f} s ({state}); see {layout.logs} and the Ray dashboard"
            )
        time.sleep(0.3)


def _said(answer: httpx.Response) -> str:
    """An error's message; of anything else the beginning."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(answer.json()["error"]["message"])
    return answer.text[:200]


def wait_caught_up(config: Config) -> None:
    """Until the writers have applied the loaded data, so that a new click is not queued behind it."""
    registry = Registry(config.models, config.name)
    deadline = time.monotonic() + READY_S
    last_line = time.monotonic()
    while True:
        behind = {name: n for name, n in lag(config, registry).items() if name != "learner"}
        if set(behind) == {"history", "catalogue"} and max(behind.values()) < CAUGHT_UP:
            return
        if time.monotonic() > deadline:
            raise SupervisionError(
                f"the writers still lag behind ({behind}); see: rayapp status, and the Ray dashboard"
            )
        if time.monotonic() - last_line > 5:
            last_line = time.monotonic()
            say("applying the loaded data: " + ", ".join(f"{name} {n:,} left" for name, n in behind.items()))
        time.sleep(0.3)


def wait_judged(config: Config) -> None:
    """Until the classifier has seen every note that was loaded: nobody's first feed shows what it finds."""
    queue = open_store(config.store_url).moderation_queue()
    last_line = last_change = time.monotonic()
    left = before = queue.waiting(Urgency.BULK)
    while left:
        time.sleep(0.3)
        now = time.monotonic()
        left = queue.waiting(Urgency.BULK)
        if left != before:
            before, last_change = left, now
        if now - last_change > READY_S:
            raise SupervisionError(f"the moderator does not judge ({left:,} notes left); see: rayapp status")
        if now - last_line > 5:
            last_line = now
            say(f"judging the loaded notes: {left:,} left")


def wait_language_model(config: Config, url: str) -> None:
    """Until the language model answers: its engine takes longest to start; feeds, search and events already work."""
    if not config.llm.enabled:
        return
    client = own_client(timeout=10)
    started = last_line = time.monotonic()
    say(f"feeds, search and events work at {url}; the language model is starting")
    while True:
        with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError):
            if client.get(f"{url}/readyz").json()["components"].get("llm"):
                return
        now = time.monotonic()
        if now - started > MODEL_READY_S:
            raise SupervisionError(
                f"the language model does not answer after {MODEL_READY_S:.0f} s; see the Ray dashboard (Serve, "
                "application redone), or start without it (--no-llm). Everything else is running."
            )
        if now - last_line > 20:
            last_line = now
            say(f"  still starting after {now - started:.0f} s")
        time.sleep(0.5)
