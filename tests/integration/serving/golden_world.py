"""A small world whose answers were recorded before the request path was redesigned."""

from __future__ import annotations

from typing import Any

import numpy as np

from rayapp.domain import Action, Decision, Event, Item, Kind, Verdict

DIM = 384
SCENARIOS = ("homefeed", "search", "ads")
WORDS = [
    "espresso",
    "coffee",
    "hiking",
    "mountain",
    "yoga",
    "cat",
    "puppy",
    "guitar",
    "travel",
    "kyoto",
    "laptop",
    "garden",
    "bread",
    "camera",
    "chess",
    "running",
    "knitting",
    "sushi",
    "ocean",
    "star",
]
START_MS = 1_790_000_000_000
# Phases by name: what the only arm of the experiment of that name changes; none in the first.
PHASES: dict[str, dict[str, Any] | None] = {
    "base": None,
    "popular": {"ranker": "popular"},
    "history": {"history": "scenario"},
    "k": {"k": 7},
    "explore": {"explore": 0.5},
    "off": {"moderation": "off"},
    "strict": {"moderation": "strict"},
    "model": {"model": "other"},
    "team": {"interleave": {"model": "other"}},
    "teampop": {"interleave": {"ranker": "popular"}},
    "nollm": {"llm": False},
}


def items() -> list[Item]:
    """150, every sixth an ad."""
    made = []
    for n in range(150):
        first, second = WORDS[n % 20], WORDS[(n * 7 + 3) % 20]
        made.append(
            Item(
                item_id=f"i{n:03d}",
                title=f"{first} and {second} number {n}",
                body=f"All about {first}.",
                tags=(first,),
                author=f"author{n % 9}",
                kind=Kind.AD if n % 6 == 5 else Kind.NOTE,
                timestamp_ms=START_MS + n * 1000,
            )
        )
    return made


def contents() -> np.ndarray:
    """[150, DIM]."""
    return np.random.default_rng(0).standard_normal((150, DIM)).astype(np.float16).astype(np.float32)


def verdicts() -> list[Verdict]:
    decisions = {3: Decision.BLOCK, 7: Decision.HOLD, 10: Decision.LIMIT, 13: Decision.LIMIT, 16: Decision.ALLOW}
    labels = {"none": 0.4, "hate": 0.6}
    return [
        Verdict(f"i{n:03d}", decision, "judged", START_MS, labels=labels, model_version="m", policy_version="p")
        for n, decision in decisions.items()
    ]


def events() -> list[tuple[Event, int]]:
    """(event, append time) of a few users over three scenarios."""
    log: list[tuple[Event, int]] = []

    def add(
        user: str, item: int, scenario: str = "homefeed", action: str = "click", *, query: str | None = None
    ) -> None:
        n = len(log) + 1
        at = START_MS + n * 1000
        log.append((Event(f"e{n}", user, scenario, Action(action), at, at, item_id=f"i{item:03d}", query=query), at))

    for item in (0, 20, 40, 60):
        add("ana", item)
    for item in (1, 21):
        add("ana", item, "search", query="coffee")
    for item in (2, 22, 42):
        add("bob", item)
    add("bob", 62, action="hide")
    add("bob", 82, action="report")
    for _ in range(3):
        add("bob", 4, action="impression")
    add("bob", 1, action="follow")
    for item in (5, 11):
        add("ana", item, "ads")
    for _ in range(3):
        add("ana", 17, "ads", "impression")
    for user in range(12):
        for n in range(4):
            add(f"u{user}", (user * 13 + n * 31) % 150, ("homefeed", "search", "ads")[(user + n) % 3])
    return log
