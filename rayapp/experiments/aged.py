"""A mapping that forgets by age, so that what follows a stream holds hours of it and not all of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
BUCKET_MS = 3_600_000


class Aged(Generic[K, V]):
    """Entries by the hour of `at_ms`; `expire` drops whole hours. A key that is put again keeps its first hour."""

    def __init__(self) -> None:
        self.buckets: dict[int, dict[K, V]] = {}

    def __len__(self) -> int:
        return sum(map(len, self.buckets.values()))

    def __contains__(self, key: K) -> bool:
        return any(key in bucket for bucket in self.buckets.values())

    def get(self, key: K) -> V | None:
        for bucket in reversed(self.buckets.values()):
            if key in bucket:
                return bucket[key]
        return None

    def put(self, key: K, value: V, at_ms: int) -> None:
        if key not in self:
            self.buckets.setdefault(at_ms // BUCKET_MS, {})[key] = value

    def expire(self, before_ms: int) -> None:
        oldest = before_ms // BUCKET_MS
        for number in [number for number in self.buckets if number < oldest]:
            del self.buckets[number]

    def remove(self, drop: Callable[[V], bool]) -> None:
        """All entries with such a value."""
        for bucket in self.buckets.values():
            for key in [key for key, value in bucket.items() if drop(value)]:
                del bucket[key]

    def __iter__(self) -> Iterator[K]:
        for bucket in self.buckets.values():
            yield from bucket
