from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from rayapp.stores.registry import Manifest, Registry, RegistryError


def manifest(version: int, gate: str = "passed") -> Manifest:
    return Manifest(version, None, "s", 0, {"t": {"0": 5}}, 7, {}, {}, gate, {})


def publish(registry: Registry, version: int, gate: str = "passed", text: str = "weights") -> Manifest:
    return registry.publish(manifest(version, gate), lambda folder: (folder / "w.bin").write_text(text) and None)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path), "m")


def test_a_version_is_read_back_and_pointed_to(registry: Registry) -> None:
    publish(registry, 1)
    assert registry.versions() == [1]
    assert (registry.pointer("HEAD"), registry.pointer("CURRENT")) == (1, 1)
    assert (registry.fetch(1) / "w.bin").read_text() == "weights"
    assert registry.manifest(1).offsets == {"t": {"0": 5}}


def test_a_folder_without_manifest_does_not_exist(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "m" / "4").mkdir(parents=True)
    (tmp_path / "m" / "4" / "w.bin").write_text("half")
    assert registry.versions() == []
    assert registry.next_version() == 1
    with pytest.raises(RegistryError, match="no version 4"):
        registry.manifest(4)


def test_a_version_is_published_once(registry: Registry) -> None:
    publish(registry, 1, text="first")
    with pytest.raises(RegistryError, match="exists already"):
        publish(registry, 1, text="second")
    assert (registry.fetch(1) / "w.bin").read_text() == "first"


def test_a_rejected_version_is_listed_but_not_served(registry: Registry) -> None:
    publish(registry, 1)
    publish(registry, 2, gate="weights are not finite")
    assert (registry.pointer("HEAD"), registry.pointer("CURRENT")) == (2, 1)
    assert registry.manifest(2).gate == "weights are not finite"


def test_a_pinned_version_stays_until_resumed(registry: Registry) -> None:
    publish(registry, 1)
    publish(registry, 2)
    registry.pin(1)
    publish(registry, 3)
    assert (registry.pointer("HEAD"), registry.pointer("CURRENT")) == (3, 1)
    registry.unpin()
    publish(registry, 4)
    assert registry.pointer("CURRENT") == 4
    with pytest.raises(RegistryError, match="no version 9"):
        registry.pin(9)


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_damage_is_found_on_load(registry: Registry, tmp_path: Path, damage: str) -> None:
    publish(registry, 1)
    file = tmp_path / "m" / "1" / "w.bin"
    file.write_text("other") if damage == "change" else file.unlink()
    with pytest.raises(RegistryError, match="damaged" if damage == "change" else "missing"):
        registry.fetch(1)


def test_a_torn_manifest_is_named(registry: Registry, tmp_path: Path) -> None:
    publish(registry, 1)
    (tmp_path / "m" / "1" / "manifest.json").write_text('{"version": 1,')
    with pytest.raises(RegistryError, match="manifest.json is damaged"):
        registry.manifest(1)


def test_old_versions_go_but_what_is_pointed_to_stays(registry: Registry) -> None:
    for version in range(1, 9):
        publish(registry, version)
    registry.point("best", 3)
    assert registry.retire(keep=2) == [2, 4, 5, 6]
    assert registry.versions() == [1, 3, 7, 8]


def test_names_resolve(registry: Registry) -> None:
    publish(registry, 1)
    registry.point("candidate", 1)
    assert [registry.resolve(w) for w in ("1", "HEAD", "CURRENT", "candidate")] == [1, 1, 1, 1]
    with pytest.raises(RegistryError, match="has no nothing"):
        registry.resolve("nothing")


def test_another_root_by_url() -> None:
    registry = Registry("memory://models", "m")
    publish(registry, 1)
    assert registry.versions() == [1]
    assert (registry.fetch(1) / "w.bin").read_text() == "weights"
    assert msgspec.structs.replace(registry.manifest(1), sha256={}, created_ms=0) == manifest(1)
