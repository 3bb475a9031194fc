"""Candidate sources, by name. A new source is a file here and a line in this registry; an experiment's arm asks for it
by its `ranker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rayapp.serving.pipeline.ports import Retriever
from rayapp.serving.pipeline.request import QUERY
from rayapp.serving.pipeline.sources.fresh import Fresh
from rayapp.serving.pipeline.sources.interests import InterestSource
from rayapp.serving.pipeline.sources.popular import Popular, PopularItems
from rayapp.serving.pipeline.sources.query import QuerySource
from rayapp.serving.pipeline.stages import Source


class SourceParts(NamedTuple):
    """What sources are made of."""

    retriever: Retriever
    popular: PopularItems
    scenarios: tuple[str, ...]


SOURCES: dict[str, Callable[[SourceParts], Source]] = {
    "interests": lambda parts: InterestSource(parts.retriever),
    "query": lambda parts: QuerySource(parts.retriever),
    "popular": lambda parts: Popular(parts.popular, parts.scenarios),
    "fresh": lambda _: Fresh(),
}


def rankers(sources: Mapping[str, Source]) -> tuple[str, ...]:
    """The names that an arm may ask for."""
    return tuple(sorted({source.ranker for source in sources.values()} - {QUERY}))
