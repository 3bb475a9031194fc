"""What a backend gives for one store URL: each part by name, for blocking and for asynchronous callers."""

from __future__ import annotations

from typing import Protocol

from rayapp.stores import ports
from rayapp.stores.settings import History


class StoreBackend(Protocol):
    """A store for blocking callers: writers, jobs, commands."""

    def upgrade(self, settings: History) -> int:
        """Bring what an older release stored up to this one's format; how many keys changed. Raises
        StoreFormatError."""
        ...

    def history_log(self, settings: History) -> ports.HistoryLog: ...

    def click_counts(self) -> ports.ClickCounts: ...

    def catalogue_store(self) -> ports.CatalogueStore: ...

    def catalogue(self) -> ports.CatalogueFeed: ...

    def verdicts(self) -> ports.VerdictStore: ...

    def moderation_queue(self) -> ports.ModerationQueue: ...

    def post_views(self) -> ports.PostViewStore: ...

    def experiments(self) -> ports.ExperimentStore: ...

    def job_states(self) -> ports.JobStates: ...

    def lease(self, name: str) -> ports.Lease:
        """Taken on entering; waits for a killed holder's lease to run out, no longer."""
        ...

    def ping(self) -> None:
        """Raises StoreUnreachable unless the store answers and has loaded its data."""
        ...


class AsyncStoreBackend(Protocol):
    """A store for the request path."""

    def history(self, settings: History) -> ports.HistoryReader: ...

    def pages(self, ttl_s: int) -> ports.PageStore:
        """A cursor expires `ttl_s` seconds after its last page."""
        ...

    def post_views(self) -> ports.PostViewReader: ...

    def job_states(self) -> ports.JobStateReader: ...

    def cache(self, prefix: str) -> ports.KeyValueCache:
        """Values below `prefix`, apart from those of other caches."""
        ...

    async def ping(self) -> None:
        """Raises StoreUnreachable unless the store answers and has loaded its data."""
        ...

    async def close(self) -> None: ...
