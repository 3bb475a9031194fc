"""A system for benchmarks that may break it: one of their own, or a running one whose state folder is given."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.e2e.conftest import System, running

REQUEST_S = 10.0


@contextlib.contextmanager
def system_for(state: str | None, *, llm: bool) -> Iterator[System]:
    """The system with this state folder, which goes on afterwards; without one a new system that ends afterwards."""
    if state is not None:
        system = System(Path(state), Path(state) / "config.yaml")
        system.http = httpx.Client(base_url=url_of(system), timeout=REQUEST_S)
        yield system
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the system must not outlive a benchmark that is ended
    with tempfile.TemporaryDirectory(prefix="rayapp-bench-") as folder, running(Path(folder)) as system:
        if llm:
            system.ensure(llm=True)
        yield system


def url_of(system: System) -> str:
    return f"http://127.0.0.1:{system.config.ports.http}"


def event_ids(client: httpx.Client, user: str) -> set[str]:
    """Ids in a user's history; none where the system does not answer."""
    try:
        answer = client.get(f"/v1/users/{user}/history", params={"limit": 1000})
        return {event["event_id"] for event in answer.json()["events"]} if answer.status_code == 200 else set()
    except httpx.HTTPError:
        return set()


def missing(url: str, accepted: dict[str, set[str]]) -> dict[str, set[str]]:
    """Of the accepted event ids by user, those that the users' histories do not have now."""
    with httpx.Client(base_url=url, timeout=REQUEST_S) as client:
        left = {user: ids - event_ids(client, user) for user, ids in accepted.items()}
    return {user: ids for user, ids in left.items() if ids}
