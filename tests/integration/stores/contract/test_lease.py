"""One holder at a time. How a lease runs out is each backend's own test."""

from __future__ import annotations

from rayapp.stores.backend import StoreBackend


def test_a_released_lease_is_free_and_others_are_apart(backend: StoreBackend) -> None:
    with backend.lease("moderator") as held, backend.lease("other"):
        assert not held.lost.is_set()
    with backend.lease("moderator"):
        pass
