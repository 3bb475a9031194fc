"""Valkey or Redis as a backend: every part on one client."""

from __future__ import annotations

from rayapp.stores.backend import AsyncStoreBackend, StoreBackend
from rayapp.stores.settings import History
from rayapp.stores.valkey.cache import Cache
from rayapp.stores.valkey.client import connect, connect_async
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.experiments import ExperimentStore
from rayapp.stores.valkey.format import upgrade
from rayapp.stores.valkey.history import HistoryReader, HistoryWriter
from rayapp.stores.valkey.items import ItemReader, ItemWriter
from rayapp.stores.valkey.job_states import JobStateReader, JobStates
from rayapp.stores.valkey.lease import Lease
from rayapp.stores.valkey.moderation_queue import ModerationQueue
from rayapp.stores.valkey.pages import Pages
from rayapp.stores.valkey.popularity import ClickCounts
from rayapp.stores.valkey.post_view import PostViewReader, PostViewStore
from rayapp.stores.valkey.verdicts import VerdictStore


@surfaced
class ValkeyBackend(StoreBackend):
    """See StoreBackend."""

    def __init__(self, url: str) -> None:
        self.client = connect(url)

    def upgrade(self, settings: History) -> int:
        return upgrade(self.client, int(settings.user_days * 86_400))

    def history_log(self, settings: History) -> HistoryWriter:
        return HistoryWriter(self.client, settings)

    def click_counts(self) -> ClickCounts:
        return ClickCounts(self.client)

    def catalogue_store(self) -> ItemWriter:
        return ItemWriter(self.client)

    def catalogue(self) -> ItemReader:
        return ItemReader(self.client)

    def verdicts(self) -> VerdictStore:
        return VerdictStore(self.client)

    def moderation_queue(self) -> ModerationQueue:
        return ModerationQueue(self.client)

    def post_views(self) -> PostViewStore:
        return PostViewStore(self.client)

    def experiments(self) -> ExperimentStore:
        return ExperimentStore(self.client)

    def job_states(self) -> JobStates:
        return JobStates(self.client)

    def lease(self, name: str) -> Lease:
        return Lease(self.client, name)

    def ping(self) -> None:
        self.client.ping()


@surfaced
class AsyncValkeyBackend(AsyncStoreBackend):
    """See AsyncStoreBackend."""

    def __init__(self, url: str) -> None:
        self.client = connect_async(url)

    def history(self, settings: History) -> HistoryReader:
        return HistoryReader(self.client, settings)

    def pages(self, ttl_s: int) -> Pages:
        return Pages(self.client, ttl_s)

    def post_views(self) -> PostViewReader:
        return PostViewReader(self.client)

    def job_states(self) -> JobStateReader:
        return JobStateReader(self.client)

    def cache(self, prefix: str) -> Cache:
        return Cache(self.client, prefix)

    async def ping(self) -> None:
        await self.client.ping()

    async def close(self) -> None:
        await self.client.aclose()
