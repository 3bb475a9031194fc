"""Settings of search."""

from __future__ import annotations

from rayapp.section import Count, Natural, NonNegative, Section


class Search(Section, frozen=True):
    """Search. RedOne's understanding of a query is waited for `deadline_ms` and kept for `cache_s`.

    The lists that are fused: by embedding (weight 1), by words (`keywords`), by the words of RedOne's expansions
    (`expansions`). The first `rerank` results are put in RedOne's order of relevance (0: none) when it answers within
    `rerank_ms`.
    """

    deadline_ms: Natural = 150
    cache_s: Count = 86_400
    keywords: NonNegative = 1.0
    expansions: NonNegative = 0.3
    rerank: Natural = 0
    rerank_ms: Natural = 1000
