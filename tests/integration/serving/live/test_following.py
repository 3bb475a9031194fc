"""What a replica follows is followed past every failure, and health says where it is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rayapp.config import Config, Serving
from rayapp.domain import Decision, Verdict
from rayapp.serving.live.state import ServingState, Unhealthy
from rayapp.stores.backend import StoreBackend
from rayapp.stores.ports import ChangesLost
from rayapp.stores.registry import Registry
from rayapp.stores.valkey import change_stream
from tests.helpers import eventually
from tests.integration.serving.world import ITEMS, fill, publish, small_contents


@pytest.fixture
def config(server_config: Config, backend: StoreBackend, tmp_path: Path) -> Config:
    config = msgspec.structs.replace(server_config, state=str(tmp_path), serving=Serving(poll_s=0.05))
    fill(backend)
    publish(config, config.name, 1)
    return config


@pytest.fixture
def state(config: Config) -> Iterator[ServingState]:
    state = ServingState(config)
    yield state
    state.close()


def catalogue_of(state: ServingState) -> Any:
    return state.scene().catalogue


def block(backend: StoreBackend, item_id: str) -> None:
    backend.verdicts().put(Verdict(item_id, Decision.BLOCK, "person", 1))


def test_a_look_that_fails_in_any_way_ends_nothing(
    state: ServingState, backend: StoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, failures = catalogue_of(state), [ValueError("a vector"), KeyError("x"), MemoryError()]
    real = catalogue.reader.changes

    def changes(position: str, *, block_ms: int) -> Any:
        if failures:
            raise failures.pop()
        return real(position, block_ms=block_ms)

    monkeypatch.setattr(catalogue.reader, "changes", changes)
    eventually(lambda: not failures, 30, "each failure was met")
    block(backend, "i0")
    eventually(lambda: "i0" not in catalogue.items, 30, "a blocked note is shown no more")


def test_a_torn_pointer_keeps_the_version_and_is_followed_on(state: ServingState, config: Config) -> None:
    current = config.state_path / "models" / config.name / "CURRENT"
    before = current.read_bytes()
    current.write_bytes(b"")
    publish(config, "other", 2)  # time for some looks: a version is written
    assert state.scene().model.model_version == "1"
    state.check_health()
    current.write_bytes(before)
    second = publish(config, config.name, 3)
    Registry(config.models, config.name).point("CURRENT", second.version)
    eventually(lambda: state.scene().model.model_version == str(second.version), 30, "the next version is served")


def test_a_replica_that_is_further_behind_than_the_changes_reach_reads_everything(
    state: ServingState, backend: StoreBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = catalogue_of(state)
    monkeypatch.setattr(change_stream, "KEEP_CHANGES", 10)
    held, looked, real = catalogue.position, threading.Event(), catalogue.reader.changes

    def nothing(position: str, *, block_ms: int) -> tuple[str, list[str]]:
        looked.set()
        return position, []

    monkeypatch.setattr(catalogue.reader, "changes", nothing)
    assert looked.wait(30)  # from here on it sees nothing
    writer = backend.catalogue_store()
    writer.delete("i1")
    block(backend, "i0")
    for _ in range(150):
        writer.put(ITEMS[2:], small_contents()[2:])  # so many that what came before is dropped
    assert "i1" in catalogue.items
    with pytest.raises(ChangesLost):
        real(held, block_ms=1)
    catalogue.position = held
    monkeypatch.undo()
    eventually(lambda: not {"i0", "i1"} & set(catalogue.items), 30, "what was missed is made up for")
    assert set(catalogue.items) == {item.item_id for item in ITEMS[2:]}


def test_a_thread_that_stopped_is_ill_health(state: ServingState) -> None:
    eventually(lambda: catalogue_of(state).followed.at is not None, 30, "the catalogue is followed")
    state.check_health()
    beat = catalogue_of(state).followed
    catalogue_of(state).closed.set()  # its thread ends
    beat.silent_s = 0.2
    eventually(lambda: beat.problem() != "", 30, "the silence is noticed")
    with pytest.raises(Unhealthy, match="catalogue has not been followed for"):
        state.check_health()
