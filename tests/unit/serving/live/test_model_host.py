"""Which version a replica swaps to, and that a follower outlives what one version does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rayapp.serving.live import model_host
from rayapp.serving.live.model_host import ModelHost


class Pointer:
    """A registry's pointer, moved by hand."""

    name = "redrec"

    def __init__(self) -> None:
        self.version: int | None = 1

    def pointer(self, _name: str) -> int | None:
        return self.version


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(model_host.time, "monotonic", lambda: now.s)
    return now


def host(pointer: Pointer, settle_s: float) -> ModelHost:
    registry: Any = pointer
    made = ModelHost(registry, {}, settle_s=settle_s)
    made.current = SimpleNamespace(version=1)  # type: ignore[assignment]
    return made


def test_versions_that_come_faster_than_they_settle_are_followed_all_the_same(clock: SimpleNamespace) -> None:
    pointer = Pointer()
    followed = host(pointer, settle_s=10.0)
    seen = []
    for version in range(2, 12):  # one every three seconds
        pointer.version = version
        seen.append(followed._wanted())
        clock.s += 3.0
    assert seen[:4] == [None, None, None, None]
    assert seen[4:] == [2, 3, 4, 5, 6, 7]


def test_a_rollback_settles_like_any_other_version(clock: SimpleNamespace) -> None:
    pointer = Pointer()
    followed = host(pointer, settle_s=2.0)
    for version in (5, 4):
        pointer.version = version
        assert followed._wanted() != version
        clock.s += 2.0
        assert followed._wanted() == version


def test_a_replica_that_was_refused_does_not_wait(clock: SimpleNamespace) -> None:
    pointer = Pointer()
    followed = host(pointer, settle_s=1000.0)
    pointer.version = 9
    assert followed._wanted() is None
    followed.hurry.set()
    assert followed._wanted() == 9
    assert not followed.hurry.is_set()


def test_nothing_is_loaded_after_close(clock: SimpleNamespace) -> None:
    pointer = Pointer()
    followed = host(pointer, settle_s=0.0)
    followed.current = None
    followed.close()
    pointer.version = 3
    followed.load()
    assert followed.current is None
