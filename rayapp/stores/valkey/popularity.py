"""What is clicked most in each scenario: only items of the catalogue, at most `KEEP` a scenario, old clicks fading.

A user counts once an item and day. Clicks on ids that no catalogue has wait aside, bounded too, until the item comes:
nobody can push what is popular off a page with ids of their own invention.
"""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rayapp.stores import ports
from rayapp.stores.valkey.commands import Client, Script, Value
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import text, texts

KEEP = 10_000
EPOCH_MS = 1_767_225_600_000  # 2026-01-01
ERA = 500  # half-lives; popularity.lua
SCENARIOS = "popular_scenarios"
PART = 1000  # items a script call
FOLDER = importlib.resources.files("rayapp.stores.valkey")


class Click(NamedTuple):
    """A click that counts; `known`: whether the catalogue has the item."""

    scenario: str
    item_id: str
    append_ms: int
    known: bool


def popularity_key(scenario: str) -> str:
    return f"popular:{scenario}"


def era_key(scenario: str) -> str:
    """The braces keep a scenario's keys on one node of a cluster."""
    return f"{{popular:{scenario}}}:era"


def waiting_key(scenario: str) -> str:
    return f"{{popular:{scenario}}}:waiting"


class Popularity:
    """Counts clicks, and moves items in and out with the catalogue."""

    def __init__(self, client: Client, half_life_days: float) -> None:
        self.client = client
        self.half_life_ms = half_life_days * 86_400_000
        self.script: Script = client.register_script(FOLDER.joinpath("popularity.lua").read_text())

    def count(self, clicks: Iterable[Click]) -> None:
        """Counted again after a crash in between: popularity is an estimate, exactness is not worth its price."""
        by_era: dict[tuple[str, int], list[Value]] = {}
        for click in clicks:
            halves = (click.append_ms - EPOCH_MS) / self.half_life_ms
            era = int(halves // ERA)
            weight = 2.0 ** (halves - era * ERA)
            by_era.setdefault((click.scenario, era), []).extend((click.item_id, repr(weight), int(click.known)))
        for (scenario, era), arguments in sorted(by_era.items()):
            pipe = self.client.pipeline(transaction=False)
            pipe.sadd(SCENARIOS, scenario)
            pipe.execute()
            keys = [popularity_key(scenario), era_key(scenario), waiting_key(scenario)]
            for start in range(0, len(arguments), 3 * PART):
                self.script(keys=keys, args=[era, KEEP, *arguments[start : start + 3 * PART]])


class CataloguePopularity:
    """The catalogue writer's side: what came is counted with what waited for it, what went is popular no more."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.script: Script = client.register_script(FOLDER.joinpath("promote.lua").read_text())

    def entered(self, item_ids: list[str]) -> None:
        for scenario in self._scenarios():
            keys = [popularity_key(scenario), waiting_key(scenario)]
            for start in range(0, len(item_ids), PART):
                self.script(keys=keys, args=item_ids[start : start + PART])

    def left(self, item_id: str) -> None:
        for scenario in self._scenarios():
            self.client.zrem(popularity_key(scenario), item_id)
            self.client.zrem(waiting_key(scenario), item_id)

    def _scenarios(self) -> list[str]:
        return sorted(texts(self.client.smembers(SCENARIOS), "scenario"))


@surfaced
class ClickCounts(ports.ClickCounts):
    """See ports.ClickCounts."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def most_clicked(self, scenarios: Iterable[str], count: int) -> list[str]:
        best: dict[str, float] = {}
        for scenario in scenarios:
            rows = self.client.zrange(popularity_key(scenario), 0, count - 1, desc=True, withscores=True)
            for item, score in _readable(rows):
                best[item] = best.get(item, 0.0) + score
        return sorted(best, key=lambda i: -best[i])


def shares(scored: Iterable[tuple[bytes, float]]) -> Mapping[str, float]:
    """Scores relative to the best, best first."""
    rows = _readable(scored)
    best = rows[0][1] if rows and rows[0][1] > 0 else 1.0
    return {item: score / best for item, score in rows}


def _readable(scored: Iterable[tuple[bytes, float]]) -> list[tuple[str, float]]:
    """Without ids that are not UTF-8 and scores that are not finite."""
    found = ((text(item, "popular item"), score) for item, score in scored if math.isfinite(score))
    return [(item, score) for item, score in found if item is not None]
