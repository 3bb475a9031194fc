"""Synthetic users with hidden interests who browse, click and search over the HTTP API.

One click model judges the list a user is served and two counterfactual lists, a
random and a popularity one over items the user has not seen, so the three click
rates can be compared within one run.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import numpy as np

from rayapp.data.sample_texts import things
from rayapp.data.sample_world import HiddenUser, hidden_user, is_harmful, topic_of
from rayapp.domain import Item
from rayapp.http_client import own_async_client

K = 20
REPORTS = 0.25  # share of readers of a harmful note who report it
READS_ON = 0.4  # share of readers who look at the queries after a note


class Tally(NamedTuple):
    """Items shown and clicked in one kind of list within a time bucket."""

    shown: int = 0
    clicked: int = 0

    def add(self, shown: int, clicked: int) -> Tally:
        return Tally(self.shown + shown, self.clicked + clicked)

    @property
    def rate(self) -> float:
        return self.clicked / self.shown if self.shown else float("nan")


class ArmTally(NamedTuple):
    """Counts of an experiment's arm. `panels`: query panels shown after a note; `followed`: queries clicked there."""

    shown: int = 0
    clicked: int = 0
    harmful: int = 0
    panels: int = 0
    followed: int = 0

    def add(self, **counts: int) -> ArmTally:
        return self._replace(**{name: getattr(self, name) + count for name, count in counts.items()})


class Simulation:
    """`rate` feed requests per second by `users` users, for `duration` seconds."""

    def __init__(
        self,
        url: str,
        items: list[Item],
        popularity: dict[str, int],
        *,
        users: int,
        rate: float,
        duration: float,
        seed: int = 0,
        bucket_s: float = 30.0,
        key: str | None = None,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.notes = [item for item in items if item.kind == "note"]
        self.topic = {item.item_id: topic_of(item) for item in items}
        topics = sorted({self.topic[n.item_id] for n in self.notes})
        run = f"{seed}-{int(time.time())}"
        self.users = [hidden_user(f"sim-{run}-{n:04d}", topics, self.rng) for n in range(users)]
        self.harmful = {item.item_id for item in items if is_harmful(item)}
        self.arms: dict[tuple[str, str], ArmTally] = {}
        self.appeal = {item.item_id: float(self.rng.random()) for item in items}
        self.popularity = Counter({n.item_id: popularity.get(n.item_id, 0) for n in self.notes})
        self.seen: dict[str, set[str]] = {u.user_id: set() for u in self.users}
        self.rate, self.duration, self.bucket_s = rate, duration, bucket_s
        self.buckets: dict[int, dict[str, Tally]] = {}
        self.failures = 0
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.client = own_async_client(base_url=url, timeout=30, headers=headers)

    async def run(self, on_bucket: Callable[[int, dict[str, Tally]], None]) -> dict[int, dict[str, Tally]]:
        """Open loop: requests start on time whether or not earlier ones were answered (at most 64 in flight)."""
        start = time.monotonic()
        gate = asyncio.Semaphore(64)
        tasks: set[asyncio.Task[None]] = set()
        count = last = 0
        async with self.client:
            while (now := time.monotonic() - start) < self.duration:
                wait = count / self.rate - now
                if wait > 0:
                    await asyncio.sleep(wait)
                    continue
                bucket = int(now // self.bucket_s)
                if bucket != last:
                    on_bucket(last, self.buckets.get(last, {}))
                    last = bucket
                await gate.acquire()
                user = self.users[int(self.rng.integers(len(self.users)))]
                task = asyncio.create_task(self._visit(user, bucket))
                tasks.add(task)
                task.add_done_callback(lambda t: (tasks.discard(t), gate.release()))
                count += 1
            await asyncio.gather(*tasks)
        on_bucket(last, self.buckets.get(last, {}))
        return self.buckets

    async def _visit(self, user: HiddenUser, bucket: int) -> None:
        try:
            await self._browse(user, bucket)
            chance = self.rng.random()
            if chance < 0.15:
                topic = str(self.rng.choice(list(user.interests)))
                await self._list(user, "search", "/v1/search", {"q": topic.replace("-", " "), "k": 10})
            elif chance < 0.25:
                await self._list(user, "ads", "/v1/ads", {"k": 3})
        except httpx.HTTPError:
            self.failures += 1

    async def _browse(self, user: HiddenUser, bucket: int) -> None:
        clicked, shown = await self._list(user, "homefeed", "/v1/feed", {"scenario": "homefeed"})
        if clicked and self.rng.random() < READS_ON:
            await self._read_on(user, clicked[-1])
        tallies = self.buckets.setdefault(bucket, {})
        seen = self.seen[user.user_id]
        fresh = [n.item_id for n in self.notes if n.item_id not in seen]
        random = [fresh[i] for i in self.rng.choice(len(fresh), size=min(K, len(fresh)), replace=False)]
        popular = [i for i, _ in self.popularity.most_common(K + len(seen)) if i not in seen][:K]
        for name, size, clicks in (
            ("served", len(shown), len(clicked)),
            ("random", len(random), len(self._clicks(user, random))),
            ("popularity", len(popular), len(self._clicks(user, popular))),
        ):
            tallies[name] = tallies.get(name, Tally()).add(size, clicks)
        seen.update(clicked)
        self.popularity.update(clicked)

    def _clicks(self, user: HiddenUser, items: list[str]) -> list[str]:
        draws = self.rng.random(len(items))
        return [
            item
            for item, draw in zip(items, draws, strict=True)
            if draw < user.click_probability(self.topic.get(item, ""), self.appeal.get(item, 0.5))
        ]

    async def _list(
        self, user: HiddenUser, scenario: str, path: str, params: dict[str, Any]
    ) -> tuple[list[str], list[str]]:
        answer = await self.client.get(path, params={"user_id": user.user_id, **params})
        answer.raise_for_status()
        body = answer.json()
        shown = [item["item_id"] for item in body["items"]]
        clicked = self._clicks(user, shown)
        harmful = [item for item in shown if item in self.harmful]
        self._count(body["experiments"], shown=len(shown), clicked=len(clicked), harmful=len(harmful))
        base = {"user_id": user.user_id, "scenario": scenario, "request_id": body["request_id"]}
        events = [{**base, "item_id": item, "position": n, "action": "impression"} for n, item in enumerate(shown)]
        reported = [item for item in harmful if self.rng.random() < REPORTS]
        events += [{**base, "item_id": item, "position": shown.index(item), "action": "report"} for item in reported]
        for item in clicked:
            dwell = int(self.rng.integers(1000, 60_000))
            event = {**base, "item_id": item, "position": shown.index(item), "action": "click", "dwell_ms": dwell}
            if scenario == "search":
                event["query"] = params["q"]
            events.append(event)
        if events:
            (await self.client.post("/v1/events", json={"events": events})).raise_for_status()
        return clicked, shown

    async def _read_on(self, user: HiddenUser, item: str) -> None:
        """Queries offered after a note: one about the reader's interests is searched as often as a note is clicked."""
        answer = await self.client.get(f"/v1/items/{item}/queries", params={"user_id": user.user_id})
        answer.raise_for_status()
        body = answer.json()
        self._count(body["experiments"], panels=1)
        topic = self.topic.get(item, "")
        about = set(re.findall(r"\w+", " ".join([topic, *things().get(topic, ())]).lower()))
        for query in body["queries"]:
            fits = about & set(re.findall(r"\w+", query.lower()))
            if self.rng.random() < user.click_probability(topic if fits else "") / len(body["queries"]):
                self._count(body["experiments"], followed=1)
                event = {"user_id": user.user_id, "scenario": "search", "action": "click", "query": query}
                followed = {"events": [{**event, "request_id": body["request_id"]}]}
                (await self.client.post("/v1/events", json=followed)).raise_for_status()
                await self._list(user, "search", "/v1/search", {"q": query, "k": 10})
                return

    def _count(self, experiments: dict[str, str], **counts: int) -> None:
        for arm in experiments.items():
            self.arms[arm] = self.arms.get(arm, ArmTally()).add(**counts)
