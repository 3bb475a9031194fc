"""Hydrators: what the request path must know before it looks for candidates."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar

from rayapp.domain import Action, Event, Kind
from rayapp.redrec.model.history import behaviour_of
from rayapp.serving.pipeline.ports import Tower
from rayapp.serving.pipeline.request import Request, SearchQuery, UserContext
from rayapp.stores.ports import HistoryReader, PageStore

ReadQuery = Callable[[str, bool], Awaitable[SearchQuery]]  # (text, whether the language model may help)


class UserHistory:
    """The user's events and what may not be shown to them: visibility is decided here, once, for all later stages."""

    stage: ClassVar[str] = "hydrate"

    def __init__(self, history: HistoryReader, pages: PageStore, scenarios: tuple[str, ...]) -> None:
        self.history = history
        self.pages = pages
        self.scenarios = scenarios

    def enabled(self, request: Request) -> bool:
        return True

    async def hydrate(self, request: Request) -> Request:
        ask = request.ask
        newest = 2 * request.scene.model.user.config.length
        state = await self.history.load(ask.user_id, self.scenarios, newest, int(time.time() * 1000))
        shown = await self.pages.load(ask.cursor) if ask.cursor else frozenset()
        unseen = state.capped_ads if ask.kind == Kind.AD else state.seen
        history = [behaviour for behaviour in map(behaviour_of, state.events) if behaviour is not None]
        excluded = unseen | state.hidden | shown | _limited(request, state.events)
        return replace(request, user=UserContext(history, excluded, ask.cursor or self.pages.new()))


class QueryReading:
    """The search query as vector and words."""

    stage: ClassVar[str] = "query"

    def __init__(self, read: ReadQuery) -> None:
        self.read = read

    def enabled(self, request: Request) -> bool:
        return request.ask.query is not None

    async def hydrate(self, request: Request) -> Request:
        assert request.ask.query is not None
        return replace(request, query=await self.read(request.ask.query, request.ask.params.llm is not False))


class UserInterests:
    """The user tower's answer; an arm may show it the events of one scenario alone."""

    stage: ClassVar[str] = "tower"

    def __init__(self, tower: Tower) -> None:
        self.tower = tower

    def enabled(self, request: Request) -> bool:
        return True

    async def hydrate(self, request: Request) -> Request:
        history, scenario = request.user.history, request.ask.scenario
        if request.ask.params.history == "scenario":
            history = [behaviour for behaviour in history if behaviour.scenario == scenario]
        return replace(request, interests=await self.tower.interests(request.scene, history, scenario))


def _limited(request: Request, events: list[Event]) -> frozenset[str]:
    """Limited notes are for followers of their author, and never search results."""
    catalogue = request.scene.catalogue
    if request.ask.query is not None or not catalogue.limited:
        return catalogue.limited
    followed = (catalogue.find(e.item_id) for e in events if e.action is Action.FOLLOW and e.item_id)
    return catalogue.not_recommended(frozenset(i.author for i in followed if i is not None and i.author))
