"""One recommendation request as typed stages: hydrate, interests, retrieve, rank, select, log.

Each stage takes what the one before returned; visibility (what may be shown at
all) is decided once, in `Hydrated.excluded`, and ranking never sees the rest.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from rayapp.config import Config
from rayapp.domain import Action, Event, Item
from rayapp.metrics import Metrics
from rayapp.ranking.slate import Candidate, Slot, explore, merge_groups, scenario_places, start_slate
from rayapp.redrec.model.history import Behaviour, behaviour_of
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.live.engine import Engine
from rayapp.serving.pipeline.answer import Answer, Ask, body, drafted, exposure
from rayapp.serving.pipeline.exposures import Exposures
from rayapp.serving.pipeline.reranker import Reranker
from rayapp.serving.pipeline.user_tower import Interests
from rayapp.stores.valkey.history import HistoryReader
from rayapp.stores.valkey.pages import Pages

OVERFETCH = 3


class SearchQuery(NamedTuple):
    """A search query: its vector [E], and its words, with those of expansions at a lower weight than 1."""

    text: str
    vector: np.ndarray
    words: dict[str, float]


class Hydrated(NamedTuple):
    """What is known of the user, and the items that may not be shown."""

    history: list[Behaviour]
    excluded: frozenset[str]
    cursor: str


class Pipeline:
    """The stages with what they need; tower and retriever may be local or remote."""

    def __init__(
        self,
        config: Config,
        tower: Any,
        retriever: Any,
        engine: Engine,
        reader: HistoryReader,
        pages: Pages,
        exposures: Exposures,
        metrics: Metrics,
        answered: Callable[[str], None],
        reranker: Reranker,
    ) -> None:
        self.config = config
        self.tower, self.retriever, self.engine = tower, retriever, engine
        self.reader, self.pages, self.exposures, self.metrics = reader, pages, exposures, metrics
        self.answered, self.reranker = answered, reranker

    async def run(self, ask: Ask, query: SearchQuery | None = None) -> dict[str, Any]:
        """The contract's answer to a feed, ads or search request; writes its exposure."""
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        hydrated = await self._timed("hydrate", self.hydrate(ask))
        answer = await self.rank(ask, hydrated, query)
        if ask.params.interleave is not None:
            second = ask.with_params(ask.params.second())
            answer = drafted(answer, await self.rank(second, hydrated, query), ask.k, _dice(request_id, 1))
        answer = self.select(ask, hydrated, answer, request_id)
        await self._timed("page", self.pages.add(hydrated.cursor, [s.candidate.item_id for s in answer.slots]))
        self.answered(answer.model_version)
        self.expose(ask, answer, request_id, started)
        return body(ask, answer, request_id, hydrated.cursor, self._catalogue(ask).items)

    async def hydrate(self, ask: Ask) -> Hydrated:
        newest = 2 * self.engine.served(ask.variant).user.config.length
        state = await self.reader.load(ask.user_id, self.config.scenarios, newest, int(time.time() * 1000))
        shown = await self.pages.load(ask.cursor) if ask.cursor else frozenset()
        unseen = state.capped_ads if ask.kind == "ad" else state.seen
        history = [b for b in map(behaviour_of, state.events) if b is not None]
        excluded = unseen | state.hidden | shown | self._not_recommended(ask, state.events)
        return Hydrated(history, excluded, ask.cursor or self.pages.new())

    async def rank(self, ask: Ask, hydrated: Hydrated, query: SearchQuery | None) -> Answer:
        """A list as the user's arm has it made."""
        history = hydrated.history
        if ask.params.history == "scenario":
            history = [b for b in history if b.scenario == ask.scenario]
        interests = await self._timed("tower", self.tower.interests(history, ask.scenario, ask.variant))
        if query is not None:
            return await self._timed("retrieve", self.search(ask, hydrated, interests, query))
        if interests is None or ask.params.ranker == "popular":
            return await self._timed("retrieve", self.start(ask, hydrated))
        return await self._timed("retrieve", self.recommend(ask, hydrated, interests))

    async def recommend(self, ask: Ask, hydrated: Hydrated, interests: Interests) -> Answer:
        """Each scenario's queries fill places by the user's own mix of scenarios."""
        names = list(interests.groups)
        queries = np.concatenate([interests.groups[name] for name in names])
        found = await self.retriever.by_vectors(
            queries, interests.index, ask.kind, OVERFETCH * ask.k, hydrated.excluded, ask.variant
        )
        groups: dict[str, list[Candidate]] = {}
        row = 0
        for name in names:
            best: dict[str, float] = {}
            for hits in found.hits[row : row + len(interests.groups[name])]:
                for item_id, score in hits:
                    best[item_id] = max(score, best.get(item_id, -1.0))
            row += len(interests.groups[name])
            ranked = sorted(best.items(), key=lambda pair: -pair[1])
            groups[name] = [Candidate(item_id, score, "redrec") for item_id, score in ranked]
        places = scenario_places(interests.scenario_counts, tuple(names), ask.k)
        slate = self._explain(ask, merge_groups(groups, places, ask.k), found.vectors, interests)
        return Answer([Slot(c, 1.0) for c in slate], interests.model_version, found.index_version, len(slate) < ask.k)

    async def search(self, ask: Ask, hydrated: Hydrated, interests: Interests | None, query: SearchQuery) -> Answer:
        """Nearest by text and words, moved a little by what the user likes."""
        found = await self.retriever.by_query(
            query.vector, query.words, ask.kind, OVERFETCH * ask.k, hydrated.excluded, ask.variant
        )
        scores = dict(found.hits[0])
        if interests is not None and scores:
            liked = np.concatenate(list(interests.groups.values()))
            for item_id, vector in found.vectors.items():
                scores[item_id] += self.config.serving.search_user_weight * float((liked @ vector).max())
        ranked = sorted(scores, key=lambda i: -scores[i])[: max(ask.k, self.config.search.rerank)]
        if self.reranker.enabled and ranked and ask.params.llm is not False:
            known = (self._catalogue(ask).items.get(i) for i in ranked[: self.config.search.rerank])
            texts = [item.text if item is not None else "" for item in known]
            ranked = await self._timed("rerank", self.reranker(query.text, ranked, texts))
        slots = [Slot(Candidate(i, scores[i], "search", "matches your search"), 1.0) for i in ranked[: ask.k]]
        version = interests.model_version if interests else self.engine.served(ask.variant).model_version
        return Answer(slots, version, found.index_version, len(slots) < ask.k)

    async def start(self, ask: Ask, hydrated: Hydrated) -> Answer:
        """An unknown user: diverse, popular and fresh."""
        want = OVERFETCH * ask.k + len(hydrated.excluded)
        own = await self.reader.popular(ask.scenario, want)
        popular = dict(own)
        if len(own) < OVERFETCH * ask.k:  # a scenario of few clicks borrows from the others
            for scenario in self.config.scenarios:
                for item_id, score in await self.reader.popular(scenario, want):
                    popular.setdefault(item_id, 0.5 * score)
        catalogue = self._catalogue(ask)
        items = catalogue.items

        def eligible(item_id: str) -> bool:
            item = items.get(item_id)  # asked once: the catalogue changes meanwhile
            return item is not None and item.kind == ask.kind and item_id not in hydrated.excluded

        ranked = sorted(popular.items(), key=lambda pair: -pair[1])
        best = [Candidate(i, s, "popular", "popular now") for i, s in ranked if eligible(i)]
        fresh = (Candidate(i, 0.0, "fresh", "new") for i in catalogue.newest(ask.kind) if eligible(i))
        slate = start_slate(best, fresh, lambda item_id: _group(items.get(item_id)), ask.k)
        served = self.engine.served(ask.variant)
        return Answer([Slot(c, 1.0) for c in slate], served.model_version, served.index_version, len(slate) < ask.k)

    def select(self, ask: Ask, hydrated: Hydrated, answer: Answer, request_id: str) -> Answer:
        """Exploration on a small share of places (never in search: a query asks for what it says)."""
        if ask.query is not None:
            return answer
        rng = _dice(request_id, self.config.serving.seed)

        def eligible() -> list[str]:
            return [i for i in self._catalogue(ask).ids(ask.kind) if i not in hydrated.excluded]

        share = self.config.serving.explore if ask.params.explore is None else ask.params.explore
        return answer._replace(slots=explore(answer.slots, eligible, share, rng))

    def expose(self, ask: Ask, answer: Answer, request_id: str, started: float) -> None:
        """One record an answer, keyed by user like the behaviour it is joined with."""
        record = exposure(ask, answer, request_id, 1000 * (time.perf_counter() - started))
        self.exposures.post(ask.user_id, record)

    def _catalogue(self, ask: Ask) -> LiveCatalogue:
        return self.engine.catalogue_of(ask.variant.moderation)

    def _not_recommended(self, ask: Ask, events: list[Event]) -> frozenset[str]:
        """Limited notes are for followers of their author, and never search results."""
        catalogue = self._catalogue(ask)
        if ask.query is not None or not catalogue.limited:
            return catalogue.limited
        noted = (catalogue.find(e.item_id) for e in events if e.action is Action.FOLLOW and e.item_id)
        return catalogue.not_recommended(frozenset(i.author for i in noted if i is not None and i.author))

    def _explain(
        self, ask: Ask, slate: list[Candidate], vectors: dict[str, np.ndarray], interests: Interests
    ) -> list[Candidate]:
        """Name for every item the event read that is nearest to it."""
        known = [n for n, c in enumerate(slate) if c.item_id in vectors]
        if not known:
            return slate
        nearest = (np.stack([vectors[slate[n].item_id] for n in known]) @ interests.read_vectors.T).argmax(1)
        explained, items = list(slate), self._catalogue(ask).items
        for n, row in zip(known, nearest.tolist(), strict=True):
            near = items.get(interests.read_ids[row])
            explained[n] = slate[n]._replace(reason=f"because of “{near.title}”" if near else "")
        return explained

    async def _timed(self, stage: str, step: Any) -> Any:
        started = time.perf_counter()
        try:
            return await step
        finally:
            self.metrics.observe("rayapp_stage_seconds", time.perf_counter() - started, stage=stage)


def _dice(request_id: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, uuid.UUID(request_id).int % 2**63])


def _group(item: Item | None) -> str:
    """What a start page is diverse in; empty for an item that was blocked or deleted since it was chosen."""
    if item is None:
        return ""
    return item.tags[0] if item.tags else item.scenario or item.author or ""
