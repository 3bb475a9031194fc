"""The sample world: notes, ads and users with hidden interests, the same for the same seed.

Users like a few topics, stay with one for a session, and click what matches
and is popular. Nothing of their interests is visible to the recommender but
through their behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rayapp.data.sample_texts import SampleText, sample_texts, things
from rayapp.domain import Item

DAY_S = 86_400
START_S = 1_785_542_400  # 2026-08-01
DAYS = 14
MOST_NOTES, MOST_ADS = 2400, 240  # texts without a repetition
EVERY_HARMFUL = 23  # of the notes, so that every topic has some
TROLL = "troll-"  # authors of harmful notes; no model reads authors


class HiddenUser(NamedTuple):
    """Topic weights, summing to 1; everything else is noise to this user."""

    user_id: str
    interests: dict[str, float]

    def click_probability(self, topic: str, quality: float = 0.5) -> float:
        """Click probability for an item of this topic; `quality` in [0, 1] is the item's appeal."""
        return min(0.9, 0.02 + 0.9 * self.interests.get(topic, 0.0) ** 0.5 * (0.5 + 0.5 * quality))


def hidden_user(user_id: str, topics: list[str], rng: np.random.Generator) -> HiddenUser:
    """Two to four topics with uneven weights."""
    chosen = rng.choice(topics, size=min(len(topics), int(rng.integers(2, 5))), replace=False)
    weights = rng.dirichlet(np.full(len(chosen), 1.5))
    return HiddenUser(user_id, {str(t): float(w) for t, w in zip(chosen, weights, strict=True)})


def topic_of(item: Item) -> str:
    """The item's topic, on which simulated interests are defined, from its tags or other fields."""
    if item.tags:
        return item.tags[0]
    if genres := item.extra.get("genres"):
        return genres.replace("|", " ").split()[0]
    return item.scenario or item.author or "all"


def is_harmful(item: Item) -> bool:
    """Ground truth of a sample-world note, which moderation must infer from its text."""
    return item.author is not None and item.author.startswith(TROLL)


def make_items(notes: int, ads: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Topic after topic in turn; every 23rd note is a harmful one. Raises ValueError for more than there are texts."""
    names = list(things())
    if notes > MOST_NOTES or ads > MOST_ADS:
        raise ValueError(f"{notes} notes and {ads} ads; the sample world has texts for {MOST_NOTES} and {MOST_ADS}")
    plain = {(topic, kind): _texts(topic, kind, rng) for topic in names for kind in ("note", "ad")}
    harmful = _shuffled([text for text in sample_texts() if text.label], rng)
    authors = [f"author-{n:02d}" for n in range(48)]
    rows: list[dict[str, Any]] = []
    for number in range(notes + ads):
        ad = number >= notes
        topic = names[number % len(names)]
        author = f"brand-{names.index(topic):02d}" if ad else str(rng.choice(authors))
        if not ad and number % EVERY_HARMFUL == EVERY_HARMFUL - 1:
            text, thing = next(harmful), str(rng.choice(things()[topic]))
            author = f"{TROLL}{number // EVERY_HARMFUL % 6:02d}"
        else:
            text = next(plain[topic, "ad" if ad else "note"])
            thing = text.thing
        rows.append(
            {
                "item_id": f"{'ad' if ad else 'note'}-{number:05d}",
                "title": text.title,
                "body": text.body,
                "tags": [topic, thing],
                "author": author,
                "kind": "ad" if ad else "note",
                "lang": "en",
                "scenario": "ads" if ad else "homefeed",
                "timestamp": START_S - int(rng.integers(0, 30 * DAY_S)),
            }
        )
    return rows


def _texts(topic: str, kind: str, rng: np.random.Generator) -> Iterator[SampleText]:
    return _shuffled([text for text in sample_texts() if (text.topic, text.kind) == (topic, kind)], rng)


def _shuffled(texts: list[SampleText], rng: np.random.Generator) -> Iterator[SampleText]:
    return iter([texts[n] for n in rng.permutation(len(texts))])


def make_interactions(rows: list[dict[str, Any]], users: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    names = list(things())
    appeal = rng.lognormal(0, 1, len(rows))
    by_topic = {
        kind: {t: [i for i, r in enumerate(rows) if r["tags"][0] == t and r["kind"] == kind] for t in names}
        for kind in ("note", "ad")
    }
    events = []
    for number in range(users):
        user = hidden_user(f"user-{number:04d}", names, rng)
        topics, weights = list(user.interests), np.array(list(user.interests.values()))
        seen: set[int] = set()
        sessions = np.sort(rng.uniform(0, DAYS * DAY_S, int(rng.integers(5, 16))))
        for at in sessions:
            topic = str(rng.choice(topics, p=weights / weights.sum()))
            scenario = str(rng.choice(["homefeed", "search", "ads"], p=[0.7, 0.18, 0.12]))
            thing = str(rng.choice(things()[topic]))
            for step in range(1 if scenario == "ads" else int(rng.integers(2, 7))):
                # One click in ten is curiosity.
                about = str(rng.choice(names)) if rng.random() < 0.1 else topic
                pool = by_topic["ad" if scenario == "ads" else "note"][about]
                if scenario == "search":
                    pool = [i for i in pool if rows[i]["tags"][1] == thing] or pool
                pool = [i for i in pool if i not in seen]
                if not pool:
                    continue
                chance = appeal[pool] / appeal[pool].sum()
                item = int(rng.choice(pool, p=chance))
                seen.add(item)
                action = str(rng.choice(["click", "like", "collect"], p=[0.85, 0.1, 0.05]))
                events.append(
                    {
                        "user_id": user.user_id,
                        "item_id": rows[item]["item_id"],
                        "timestamp_ms": int((START_S + at + step * 30) * 1000),
                        "scenario": scenario,
                        "action": action,
                        "query": f"{topic} {thing}" if scenario == "search" else None,
                    }
                )
    return sorted(events, key=lambda e: (e["timestamp_ms"], e["user_id"]))


def write_sample_world(
    folder: Path, *, notes: int = MOST_NOTES, ads: int = MOST_ADS, users: int = 600, seed: int = 0
) -> Path:
    """Write the sample world as a data folder; an existing complete one is kept."""
    done = folder / "interactions.parquet"
    if done.is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = make_items(notes, ads, rng)
    pq.write_table(pa.Table.from_pylist(rows), folder / "items.parquet")
    partial = folder / "interactions.part"
    pq.write_table(pa.Table.from_pylist(make_interactions(rows, users, rng)), partial)
    partial.rename(done)
    return folder
