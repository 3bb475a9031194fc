"""The operations that a store offers, one protocol for each group of callers.

Protocols speak of operations (apply an event, publish a verdict), never of
keys: what must be atomic is atomic inside the backend. Every operation raises
StoreUnreachable when the backend does not answer. `open_store` and
`open_async_store` (rayapp/stores/open.py) give the backend that a URL names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import ClassVar, Protocol

import numpy as np

from rayapp.domain import Event, Item, Verdict
from rayapp.errors import Conflict, Unavailable, UserError
from rayapp.experiments.experiment import Experiment
from rayapp.experiments.lifecycle import Change, Started
from rayapp.stores.job_state import JobState
from rayapp.stores.records import PostView, Queued, StoredItem, Urgency, UserState, Wanted


class StoreUnreachable(Unavailable):
    """The store did not answer; the text says where and what to do."""


class StoreUnwilling(StoreUnreachable):
    """The store answers, and takes nothing now: it is full, read-only, loading, or it wants another password."""


class StoreRefused(StoreUnreachable):
    """The store answered with an error: waiting does not help, the text says what it refused and why."""


class StoreFormatError(UserError):
    """The store was written by a later release; the text says which formats are known."""


class ChangesLost(UserError):
    """Changes of the catalogue were dropped before they were read: the reader is too far behind."""


class LeaseTaken(Conflict):
    """Another process holds the lease; the text says which lease and what to do."""


class CursorExpired(UserError):
    """The cursor is unknown or too old; start again without one."""

    code: ClassVar[str] = "bad_request"
    field: str | None = "cursor"


class HistoryLog(Protocol):
    """Writes users' histories in log order. Applying a record again changes nothing."""

    def apply(self, events: Iterable[tuple[Event, int]]) -> int:
        """Append (event, append_ms) pairs and trim; each event is atomic. Returns how many were new."""
        ...

    def forget(self, user_id: str) -> None:
        """Remove everything stored about a user."""
        ...


class HistoryReader(Protocol):
    """Histories as requests read them."""

    async def load(self, user_id: str, scenarios: tuple[str, ...], newest: int, now_ms: int) -> UserState:
        """The `newest` events of every scenario, and the items that may not be shown."""
        ...

    async def history(self, user_id: str, scenarios: tuple[str, ...], limit: int) -> list[Event]:
        """At most `limit` events over all scenarios, newest first."""
        ...

    async def popular(self, scenario: str, count: int) -> list[tuple[str, float]]:
        """(item id, score) of the most clicked items of late, best first; scores are relative to the best."""
        ...


class ClickCounts(Protocol):
    """Which items are clicked most, for blocking callers."""

    def most_clicked(self, scenarios: Iterable[str], count: int) -> list[str]:
        """Ids of the `count` most clicked items of each scenario, ordered by their clicks over all of them."""
        ...


class CatalogueStore(Protocol):
    """Writes the catalogue and its change stream. Writing a record again changes nothing."""

    def known(self, items: list[Item]) -> list[bool]:
        """For each item, whether exactly this record is stored, with its content vector."""
        ...

    def put(self, items: list[Item], contents: np.ndarray, judge: Mapping[str, Urgency] | None = None) -> None:
        """Store items with their content vectors [N, E] (kept as float16) and append them to the change stream.

        In the same step the ids in `judge` enter the moderation queue, and
        those of them that arrived one by one the post-view queue.
        """
        ...

    def delete(self, item_id: str) -> None:
        """Remove an item with its vector, verdict, queries and queue entries, and append that to the change stream."""
        ...


class CatalogueReader(Protocol):
    """Reads the catalogue as it stands."""

    def fetch(self, ids: list[str]) -> list[StoredItem]:
        """These items as they stand now, in this order."""
        ...

    def scan(self, batch: int = 2000) -> Iterator[list[StoredItem]]:
        """Every stored item, in batches; an item that changes meanwhile is in the change stream as well."""
        ...


class CatalogueFeed(CatalogueReader, Protocol):
    """The catalogue and its change stream: read everything once, then follow."""

    def position(self) -> str:
        """The end of the change stream: what comes after it is new."""
        ...

    def changes(self, after: str, *, block_ms: int = 500, count: int = 5000) -> tuple[str, list[str]]:
        """(new position, ids changed since `after`); waits up to `block_ms` for the first change.

        Raises ChangesLost when changes after `after` are there no more: everything must be read again.
        """
        ...


class VerdictStore(Protocol):
    """Reads and writes verdicts; any number of writers."""

    def get(self, item_ids: list[str]) -> list[Verdict | None]: ...

    def put(self, verdict: Verdict, queued: Queued | None = None) -> bool:
        """Store a verdict, append its item to the change stream and remove `queued` unless it was renewed: one step.

        Returns False when a person's verdict stands instead.
        """
        ...

    def audit(self, item_id: str) -> list[Verdict]:
        """Every decision of a person on this note, oldest first."""
        ...


class ModerationQueue(Protocol):
    """Notes that wait to be judged."""

    def enqueue(self, item_ids: Iterable[str], urgency: Urgency) -> None:
        """NOW overtakes and renews an entry that exists; the other classes leave it as it is."""
        ...

    def next(self, count: int, preferred: Iterable[str] = ()) -> list[Queued]:
        """The first `count` entries, all of one class; of BULK and OPEN those of `preferred` come first."""
        ...

    def entry(self, item_id: str) -> Queued | None:
        """The note's entry, if it waits."""
        ...

    def drop(self, item_id: str) -> None:
        """Remove the entry of a note that no longer exists."""
        ...

    def postpone(self, entries: Iterable[Queued]) -> None:
        """To the class OPEN, unless the note was queued again meanwhile."""
        ...

    def waiting(self, least: Urgency = Urgency.OPEN) -> int:
        """How many wait, of classes as urgent as `least` or more so."""
        ...


class PostViewStore(Protocol):
    """Post-view queries and the notes that wait for them, for the job that writes them."""

    def begin(self, model_version: str) -> None:
        """From now on this model writes queries; those of other models are written anew when requested."""
        ...

    def get(self, item_id: str) -> PostView | None: ...

    def put(self, item_id: str, made: PostView | None) -> None:
        """Store the queries, if there are any, and remove the note from the queue: one step."""
        ...

    def next(self) -> Wanted | None:
        """What clients wait for comes first, then notes that arrived one by one, oldest first."""
        ...

    def waiting(self) -> int: ...


class PostViewReader(Protocol):
    """Post-view queries as requests read them."""

    async def get(self, item_id: str, text_key: str) -> PostView | None:
        """Queries for this text; None while they are being written. Puts the note into the queue where needed."""
        ...


class ExperimentStore(Protocol):
    """Experiments: created once, their coverage grown, stopped. Every change is one transaction over all of them."""

    def all(self) -> list[Started]:
        """Newest first."""
        ...

    def unreadable(self) -> list[str]:
        """Names of stored experiments that cannot be read (damaged, or of another version); `stop` removes one."""
        ...

    def get(self, name: str) -> Started:
        """Raises UnknownExperiment."""
        ...

    def create(self, experiment: Experiment) -> Change:
        """Begin it, or grow the coverage of one that runs. Raises ExperimentError, ExperimentConflict."""
        ...

    def stop(self, name: str) -> Change:
        """Ends assignment; stopping twice changes nothing.

        Raises UnknownExperiment, also after it removed one that could not be read.
        """
        ...

    def remove(self, name: str) -> Change:
        """Takes an ended one out, and its report with it. Raises UnknownExperiment, ExperimentConflict."""
        ...


class JobStates(Protocol):
    """How the jobs that never end are doing, as they say themselves."""

    def put(self, job: str, state: JobState) -> None: ...

    def all(self) -> dict[str, JobState]:
        """By job; one that has stopped keeps its last state."""
        ...


class JobStateReader(Protocol):
    """The same for the request path."""

    async def all(self) -> dict[str, JobState]: ...


class PageStore(Protocol):
    """What a reader has been shown in one scroll, so that the next page repeats nothing."""

    def new(self) -> str:
        """A cursor that is not in use."""
        ...

    async def load(self, cursor: str) -> frozenset[str]:
        """The ids shown so far. Raises CursorExpired."""
        ...

    async def add(self, cursor: str, ids: list[str]) -> None: ...


class KeyValueCache(Protocol):
    """Values that may be lost, shared by all replicas."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, *, ttl_s: int) -> None: ...


class Lease(Protocol):
    """`with lease:` holds it, renewed in the background; a killed holder loses it. Raises LeaseTaken."""

    lost: threading.Event  # set when the lease ran out while its holder or the store stood still

    def __enter__(self) -> Lease: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
