"""What the HTTP surface answers, as typed records; the OpenAPI document is made from them."""

from __future__ import annotations

from typing import Literal

import msgspec

from rayapp.domain import Decision, Event, Verdict
from rayapp.serving.pipeline.answer import Answer
from rayapp.serving.pipeline.query.understood import Understood


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields with a default are left out of the body where they have it."""


class ErrorDetail(Record, frozen=True):
    code: str
    message: str
    field: str | None


class ErrorBody(Record, frozen=True):
    error: ErrorDetail


class Rejected(Record, frozen=True):
    index: int
    error: str
    field: str | None


class Accepted(Record, frozen=True):
    accepted: int
    rejected: list[Rejected]


class ListedItem(Record, frozen=True):
    """One entry of a list.

    `source` says where it came from: `redrec` (the user's interests), `search`, `popular`, `fresh`, `explore` (chosen
    at random), or a source of your own. `reason` is a text to show beside it; empty where there is none.
    """

    item_id: str
    score: float
    title: str
    source: str
    reason: str


class ItemList(Record, frozen=True):
    request_id: str
    user_id: str
    scenario: str
    items: list[ListedItem]
    model_version: str
    index_version: str
    experiments: dict[str, str]
    cursor: str
    exhausted: bool


class Understanding(Record, frozen=True):
    """`spelling`: a correction, where there is one."""

    intent: str | None
    expansions: list[str]
    source: Literal["redone", "none"]
    cached: bool
    spelling: str | None = None


class SearchList(ItemList, frozen=True):
    understanding: Understanding


class SimilarItems(Record, frozen=True):
    items: list[ListedItem]


class PostViewQueries(Record, frozen=True):
    """With a user the answer is an exposure and has its `request_id`."""

    queries: list[str]
    status: Literal["ready", "pending"]
    request_id: str | None = None
    experiments: dict[str, str] | None = None


class JudgedNote(Record, frozen=True):
    """See Verdict."""

    id: str
    decision: Decision
    labels: dict[str, float]
    model_version: str
    policy_version: str
    scores: dict[str, float]
    stage: Literal["fast", "llm", "person", "policy", ""]
    read: float
    help: str = ""

    @classmethod
    def of(cls, verdict: Verdict) -> JudgedNote:
        return cls(
            verdict.item_id,
            verdict.decision,
            verdict.labels,
            verdict.model_version,
            verdict.policy_version,
            verdict.scores,
            verdict.stage,
            verdict.read,
            verdict.help,
        )


class Verdicts(Record, frozen=True):
    verdicts: list[JudgedNote]


class History(Record, frozen=True):
    events: list[Event]


class DeletedUser(Record, frozen=True):
    user_id: str
    message: str


class DeletedItem(Record, frozen=True):
    item_id: str
    message: str


class Ready(Record, frozen=True):
    """`problems`: by job what it waits for or cannot get past; left out while there is none."""

    ready: bool
    components: dict[str, bool]
    problems: dict[str, str] = {}


def item_list(answer: Answer) -> ItemList:
    """What was deleted since it was retrieved is left out."""
    request = answer.request
    items = request.scene.catalogue.items
    return ItemList(
        request_id=request.request_id,
        user_id=request.ask.user_id,
        scenario=request.ask.scenario,
        items=[
            ListedItem(c.item_id, c.score, item.title, c.source, c.reason)
            for c in (slot.candidate for slot in answer.slots)
            if (item := items.get(c.item_id)) is not None
        ],
        model_version=answer.model_version,
        index_version=answer.index_version,
        experiments=request.ask.assigned.arms,
        cursor=request.user.cursor,
        exhausted=answer.exhausted,
    )


def search_list(answer: Answer) -> SearchList:
    """Of an answer to a query."""
    assert answer.request.query is not None
    fields = msgspec.structs.asdict(item_list(answer))
    return SearchList(**fields, understanding=understanding(answer.request.query.understood))


def understanding(understood: Understood) -> Understanding:
    what = understood.what
    source: Literal["redone", "none"] = "redone" if understood.source == "redone" else "none"
    return Understanding(what.intent, list(what.expansions), source, understood.cached, what.spelling)
