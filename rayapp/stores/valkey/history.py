"""Recent behaviour of each user, per scenario, and the items they have seen.

The history writer is the only writer. Per user: one sorted set a scenario
(score = event time, newest `keep`), the seen set (which outlives the history),
hidden items, impression counts, and the event ids of the last 24 h against
duplicates. All of one user's keys share a hash tag, so they live on one node
of a cluster; popularity keys are separate.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable

import msgspec
import redis.exceptions

from rayapp.domain import POSITIVE_ACTIONS, Event, encode
from rayapp.stores import ports
from rayapp.stores.records import UserState
from rayapp.stores.settings import History
from rayapp.stores.valkey.commands import AsyncClient, Client
from rayapp.stores.valkey.errors import surfaced

SCRIPT = importlib.resources.files("rayapp.stores.valkey").joinpath("history.lua").read_text()
POPULARITY_EPOCH_MS = 1_767_225_600_000  # 2026-01-01; weights double every half-life from here
_decoder = msgspec.json.Decoder(Event)


def user_keys(user_id: str) -> dict[str, str]:
    tag = f"u:{{{user_id}}}"
    return {name: f"{tag}:{name}" for name in ("dedupe", "seen", "impressions", "hidden", "ads", "scenarios")}


def history_key(user_id: str, scenario: str) -> str:
    return f"u:{{{user_id}}}:h:{scenario}"


def popularity_key(scenario: str) -> str:
    return f"popular:{scenario}"


@surfaced
class HistoryWriter(ports.HistoryLog):
    """See ports.HistoryLog."""

    def __init__(self, client: Client, settings: History) -> None:
        self.client = client
        self.settings = settings
        self.ads_window_ms = int(settings.ads_cap_hours * 3_600_000)
        self.sha = client.script_load(SCRIPT)

    def apply(self, events: Iterable[tuple[Event, int]]) -> int:
        """One round trip for all of them."""
        pending = list(events)
        if not pending:
            return 0
        try:
            return self._send(pending)
        except redis.exceptions.NoScriptError:  # the store was restarted without its script cache
            self.sha = self.client.script_load(SCRIPT)
            return self._send(pending)

    def _send(self, events: list[tuple[Event, int]]) -> int:
        pipe = self.client.pipeline(transaction=False)
        for event, append_ms in events:
            keys = user_keys(event.user_id)
            popular = event.item_id is not None and event.action in POSITIVE_ACTIONS
            pipe.evalsha(
                self.sha,
                8,
                keys["dedupe"],
                history_key(event.user_id, event.scenario),
                keys["seen"],
                keys["impressions"],
                keys["hidden"],
                keys["ads"],
                keys["scenarios"],
                popularity_key(event.scenario),
                event.event_id,
                append_ms,
                event.timestamp_ms,
                event.item_id or "",
                event.action.value,
                encode(event),
                self.settings.keep,
                int(self.settings.dedupe_hours * 3_600_000),
                self.settings.impressions_seen,
                event.scenario,
                repr(self._weight(append_ms)) if popular else "0",
                self.ads_window_ms,
            )
        return sum(pipe.execute())

    def _weight(self, append_ms: int) -> float:
        """Later clicks weigh more, so that the ranking decays without touching every score."""
        half_life_ms = self.settings.popularity_half_life_days * 86_400_000
        return 2.0 ** ((append_ms - POPULARITY_EPOCH_MS) / half_life_ms)

    def forget(self, user_id: str) -> None:
        scenarios = self.client.smembers(user_keys(user_id)["scenarios"])
        keys = [*user_keys(user_id).values(), *(history_key(user_id, s.decode()) for s in scenarios)]
        self.client.delete(*keys)


@surfaced
class HistoryReader(ports.HistoryReader):
    """See ports.HistoryReader; one round trip a user."""

    def __init__(self, client: AsyncClient, settings: History) -> None:
        self.client = client
        self.ads_cap = settings.ads_cap
        self.ads_window_ms = int(settings.ads_cap_hours * 3_600_000)

    async def load(self, user_id: str, scenarios: tuple[str, ...], newest: int, now_ms: int) -> UserState:
        keys = user_keys(user_id)
        pipe = self.client.pipeline(transaction=False)
        for scenario in scenarios:
            pipe.zrange(history_key(user_id, scenario), -newest, -1)
        pipe.smembers(keys["seen"])
        pipe.smembers(keys["hidden"])
        pipe.zrangebyscore(keys["ads"], now_ms - self.ads_window_ms, "+inf")
        *histories, seen, hidden, ads = await pipe.execute()
        events = sorted((_decoder.decode(raw) for part in histories for raw in part), key=lambda e: e.timestamp_ms)
        counts: dict[str, int] = {}
        for member in ads:
            item = member.decode().partition("\x1f")[0]
            counts[item] = counts.get(item, 0) + 1
        capped = frozenset(item for item, n in counts.items() if n >= self.ads_cap)
        return UserState(events, _texts(seen), _texts(hidden), capped)

    async def history(self, user_id: str, scenarios: tuple[str, ...], limit: int) -> list[Event]:
        state = await self.load(user_id, scenarios, limit, 0)
        return state.events[::-1][:limit]

    async def popular(self, scenario: str, count: int) -> list[tuple[str, float]]:
        raw = await self.client.zrange(popularity_key(scenario), 0, count - 1, desc=True, withscores=True)
        best = raw[0][1] if raw else 1.0
        return [(item.decode(), score / best) for item, score in raw]


@surfaced
class ClickCounts(ports.ClickCounts):
    """See ports.ClickCounts."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def most_clicked(self, scenarios: Iterable[str], count: int) -> list[str]:
        best: dict[str, float] = {}
        for scenario in scenarios:
            rows = self.client.zrange(popularity_key(scenario), 0, count - 1, desc=True, withscores=True)
            for item, score in rows:
                best[item.decode()] = best.get(item.decode(), 0.0) + score
        return sorted(best, key=lambda i: -best[i])


def _texts(values: Iterable[bytes]) -> frozenset[str]:
    return frozenset(value.decode() for value in values)
