"""Recent behaviour of each user, per scenario, and the items they have seen.

The history writer is the only writer. Per user: one sorted set a scenario
(score = event time, newest `keep`), the seen set (which outlives the history),
hidden items, impression counts, and the event ids of the last 24 h against
duplicates. All of one user's keys share a hash tag, so they live on one node
of a cluster, and all of them expire once the user has stopped coming.
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
from rayapp.stores.valkey.item_keys import ITEMS
from rayapp.stores.valkey.popularity import Click, Popularity, popularity_key, shares
from rayapp.stores.valkey.stored import readable, texts

SCRIPT = importlib.resources.files("rayapp.stores.valkey").joinpath("history.lua").read_text()
USER_KEYS = ("dedupe", "seen", "impressions", "hidden", "ads", "scenarios", "counted")
_decoder = msgspec.json.Decoder(Event)


def user_keys(user_id: str) -> dict[str, str]:
    tag = f"u:{{{user_id}}}"
    return {
        name: f"{tag}:{name}" for name in ("dedupe", "seen", "impressions", "hidden", "ads", "scenarios", "counted")
    }


def history_key(user_id: str, scenario: str) -> str:
    return f"u:{{{user_id}}}:h:{scenario}"


@surfaced
class HistoryWriter(ports.HistoryLog):
    """See ports.HistoryLog."""

    def __init__(self, client: Client, settings: History) -> None:
        self.client = client
        self.settings = settings
        self.ads_window_ms = int(settings.ads_cap_hours * 3_600_000)
        self.user_ttl_s = int(settings.user_days * 86_400)
        self.impression_ttl_s = int(settings.impression_days * 86_400)
        self.popularity = Popularity(client, settings.popularity_half_life_days)
        self.sha = client.script_load(SCRIPT)

    def apply(self, events: Iterable[tuple[Event, int]]) -> int:
        """One round trip for all of them, and one a scenario for what becomes popular."""
        pending = list(events)
        if not pending:
            return 0
        try:
            results = self._send(pending)
        except redis.exceptions.NoScriptError:  # the store was restarted without its script cache
            self.sha = self.client.script_load(SCRIPT)
            results = self._send(pending)
        counting = [one for one, result in zip(pending, results, strict=True) if result == 2]
        known = self._known([event.item_id or "" for event, _ in counting])
        self.popularity.count(
            Click(event.scenario, event.item_id or "", append_ms, event.item_id in known)
            for event, append_ms in counting
        )
        return sum(result > 0 for result in results)

    def _send(self, events: list[tuple[Event, int]]) -> list[int]:
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
                keys["counted"],
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
                int(popular),
                self.ads_window_ms,
                self.user_ttl_s,
                self.impression_ttl_s,
            )
        return pipe.execute()

    def _known(self, item_ids: list[str]) -> set[str]:
        """Those of them that the catalogue has."""
        ids = list(dict.fromkeys(item_ids))
        if not ids:
            return set()
        pipe = self.client.pipeline(transaction=False)
        for item_id in ids:
            pipe.hexists(ITEMS, item_id)
        return {item_id for item_id, there in zip(ids, pipe.execute(), strict=True) if there}

    def forget(self, user_id: str) -> None:
        scenarios = self.client.smembers(user_keys(user_id)["scenarios"])
        prefix = history_key(user_id, "").encode()  # bytes: what is not UTF-8 goes as well
        self.client.delete(*user_keys(user_id).values(), *(prefix + scenario for scenario in scenarios))


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
        stored = (readable(_decoder, raw, f"history of user {user_id!r}") for part in histories for raw in part)
        events = sorted((event for event in stored if event is not None), key=lambda e: e.timestamp_ms)
        counts: dict[str, int] = {}
        for member in texts(ads, f"ads of user {user_id!r}"):
            item = member.partition("\x1f")[0]
            counts[item] = counts.get(item, 0) + 1
        capped = frozenset(item for item, n in counts.items() if n >= self.ads_cap)
        what = f"items of user {user_id!r}"
        return UserState(events, frozenset(texts(seen, what)), frozenset(texts(hidden, what)), capped)

    async def history(self, user_id: str, scenarios: tuple[str, ...], limit: int) -> list[Event]:
        state = await self.load(user_id, scenarios, limit, 0)
        return state.events[::-1][:limit]

    async def popular(self, scenario: str, count: int) -> list[tuple[str, float]]:
        rows = await self.client.zrange(popularity_key(scenario), 0, count - 1, desc=True, withscores=True)
        return list(shares(rows).items())
