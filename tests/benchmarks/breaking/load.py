"""A steady load of feeds, searches and clicks with known ids, which goes on whatever the system does."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from types import TracebackType

import httpx
import numpy as np

PER_USER = 50  # clicks; a history holds more than these
QUERIES = ("coffee grinder", "running shoes", "savings account", "mountain hike", "sourdough bread")
REQUEST_S = 5.0


class SteadyLoad:
    """`rate` requests a second from `clients` threads: two in five feeds, one search, two clicks. A client waits for
    its answer, so an outage in which answers time out lowers the rate."""

    def __init__(
        self, url: str, items: list[str], *, rate: float, clients: int, mark: str, users: int | None = None
    ) -> None:
        """`users`: so many click in turn; None: each is new after `PER_USER` clicks."""
        self.url, self.items, self.clients, self.mark, self.users = url, items, clients, mark, users
        self.pause_s = clients / rate
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.results: Counter[str] = Counter()  # status, or kind of error, of every request
        self.accepted: dict[str, set[str]] = defaultdict(set)  # acknowledged event ids by user
        self.clicks = 0
        self.threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)]

    def __enter__(self) -> SteadyLoad:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def take(self) -> tuple[Counter[str], dict[str, set[str]]]:
        """What was answered and accepted since the last call."""
        with self.lock:
            taken = (self.results, dict(self.accepted))
            self.results, self.accepted = Counter(), defaultdict(set)
        return taken

    def _client(self, number: int) -> None:
        rng = np.random.default_rng(number)
        at = time.monotonic() + self.pause_s * number / self.clients
        with httpx.Client(base_url=self.url, timeout=REQUEST_S) as client:
            while not self.over.wait(max(0.0, at - time.monotonic())):
                at = max(at + self.pause_s, time.monotonic())
                self._ask(client, rng)

    def _ask(self, client: httpx.Client, rng: np.random.Generator) -> None:
        kind = int(rng.integers(5))
        clicked: tuple[str, str] | None = None
        try:
            if kind < 2:
                answer = client.get("/v1/feed", params={"user_id": f"{self.mark}-{int(rng.integers(200))}"})
            elif kind == 2:
                answer = client.get("/v1/search", params={"q": QUERIES[int(rng.integers(len(QUERIES)))]})
            else:
                clicked = self._next_click()
                answer = client.post("/v1/events", json={"events": [self.click(*clicked)]})
            result = str(answer.status_code)
        except httpx.HTTPError as error:
            result = type(error).__name__
        with self.lock:
            self.results[result] += 1
            if clicked is not None and result == "202":
                self.accepted[clicked[0]].add(clicked[1])

    def _next_click(self) -> tuple[str, str]:
        """(user, event id), each once."""
        with self.lock:
            self.clicks += 1
            user = self.clicks // PER_USER if self.users is None else self.clicks % self.users
            return f"{self.mark}-{user}", f"{self.mark}-{self.clicks}"

    def click(self, user: str, event_id: str) -> dict[str, str]:
        """An event about an item that follows from its id."""
        item = self.items[hash(event_id) % len(self.items)]
        return {"event_id": event_id, "user_id": user, "item_id": item, "scenario": "homefeed", "action": "click"}
