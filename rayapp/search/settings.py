"""Settings of search."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rayapp.section import Milliseconds, Section, Weight

MAX_RERANK = 256  # what the language model reads of one search


class Search(Section, frozen=True):
    """Search. RedOne's understanding of a query is waited for `deadline_ms` and kept for `cache_s`.

    The lists that are fused: by embedding (weight 1), by words (`keywords`), by the words of RedOne's expansions
    (`expansions`). The first `rerank` results are put in RedOne's order of relevance (0: none) when it answers within
    `rerank_ms`.
    """

    deadline_ms: Milliseconds = 150
    cache_s: Annotated[int, Meta(ge=1, le=31_536_000)] = 86_400
    keywords: Weight = 1.0
    expansions: Weight = 0.3
    rerank: Annotated[int, Meta(ge=0, le=MAX_RERANK)] = 0
    rerank_ms: Milliseconds = 1000
