"""The model registry: versions in folders, and one small object for every pointer (contract, "A model version").

A version exists once its manifest does; the manifest is written last and only
if absent. HEAD is the newest training state, CURRENT what is served, aliases
name others. The root may be any fsspec URL.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import msgspec

from rayapp.atomic import whole_folder
from rayapp.errors import UserError

# Model names and aliases are folders and files below the root, and never leave it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
VERSION = re.compile(r"[0-9]{1,12}", re.ASCII)
FORMAT = 1  # of manifests; a higher one is of a later release
POINTERS = ("HEAD", "CURRENT")
DROPPED = "dropped.json"


class RegistryError(UserError):
    """A version or pointer cannot be used; the text says which and why."""


def checked_name(name: str, what: str) -> str:
    """Raises RegistryError for a name that could be a path."""
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{what} {name[:80]!r} is none: 1 to 128 letters, digits, dots, dashes and underscores, the first a letter "
            "or digit"
        )
    return name


class DamagedPointer(RegistryError):
    """A pointer was torn, or written by somebody else."""


class Manifest(msgspec.Struct, frozen=True):
    """What a version is. `offsets` is {topic: {partition: next offset}}."""

    version: int
    parent: int | None
    space: str
    created_ms: int
    offsets: dict[str, dict[str, int]]
    events_seen: int
    skipped: dict[str, int]
    metrics: dict[str, Any]
    gate: str
    config: dict[str, Any]
    sha256: dict[str, str] = {}
    format: int = FORMAT

    @property
    def usable(self) -> bool:
        return self.gate in ("passed", "unproven")


class Registry:
    """Versions of one model name below a root folder or URL."""

    def __init__(self, root: str, name: str = "redrec", cache: str | Path | None = None) -> None:
        self.fs, base = fsspec.core.url_to_fs(root)
        self.base = f"{base.rstrip('/')}/{checked_name(name, 'model name')}"
        self.name = name
        self.local = self.fs.protocol == "file" or "file" in self.fs.protocol
        self.cache = Path(cache or Path(tempfile.gettempdir()) / "rayapp-models")

    # -- pointers

    def pointer(self, name: str) -> int | None:
        """The version that HEAD, CURRENT or an alias names; None when it is not set."""
        try:
            held = self.fs.cat_file(f"{self.base}/{_pointer_path(name)}")
        except FileNotFoundError:
            return None
        text = held[:40].decode(errors="replace").strip()
        if not VERSION.fullmatch(text):
            raise DamagedPointer(f"{self.name}: pointer {name} holds no version number but {text!r}; set it again")
        return int(text)

    def point(self, name: str, version: int) -> None:
        """Set a pointer in one put."""
        self._put(_pointer_path(name), str(version).encode())

    def pinned(self) -> bool:
        """True after a rollback, until `resume`: publishing does not move CURRENT."""
        return bool(self.fs.exists(f"{self.base}/PINNED"))

    def pin(self, version: int) -> None:
        self.manifest(version)
        self._put("PINNED", str(version).encode())
        self.point("CURRENT", version)

    def unpin(self) -> None:
        if self.pinned():
            self.fs.rm_file(f"{self.base}/PINNED")

    # -- versions

    def versions(self) -> list[int]:
        """Numbers of the versions that have a manifest, ascending."""
        try:
            self.fs.invalidate_cache()
            names = [path.rstrip("/").rpartition("/")[2] for path in self.fs.ls(self.base, detail=False)]
        except FileNotFoundError:
            return []
        return sorted(int(n) for n in names if n.isdigit() and self.fs.exists(f"{self.base}/{n}/manifest.json"))

    def manifest(self, version: int) -> Manifest:
        try:
            manifest = msgspec.json.decode(self.fs.cat_file(f"{self.base}/{version}/manifest.json"), type=Manifest)
            if manifest.format > FORMAT:
                raise RegistryError(
                    f"{self.name}@{version} has format {manifest.format}, this release reads up to {FORMAT}; update it"
                )
            return manifest
        except FileNotFoundError:
            raise RegistryError(f"{self.name} has no version {version}; versions: {self.versions()}") from None
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise RegistryError(f"{self.name}@{version}: manifest.json is damaged ({error})") from None

    def publish(self, manifest: Manifest, write: Callable[[Path], object]) -> Manifest:
        """Write a version: `write(folder)` makes the files, then come the manifest (only if absent) and HEAD."""
        target = f"{self.base}/{manifest.version}"
        if self.fs.exists(f"{target}/manifest.json"):
            raise RegistryError(
                f"{self.name}@{manifest.version} exists already; another learner published it, so this one stops"
            )
        with tempfile.TemporaryDirectory(prefix="rayapp-version-") as folder:
            write(Path(folder))
            files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
            sums = {str(p.relative_to(folder)): _sha256(p) for p in files}
            self.fs.makedirs(target, exist_ok=True)
            for path in files:
                name = str(path.relative_to(folder))
                self.fs.makedirs(f"{target}/{name}".rpartition("/")[0], exist_ok=True)
                self.fs.put_file(str(path), f"{target}/{name}")
        manifest = msgspec.structs.replace(manifest, sha256=sums, created_ms=int(time.time() * 1000))
        self._create(f"{manifest.version}/manifest.json", json.dumps(msgspec.to_builtins(manifest), indent=1).encode())
        self.point("HEAD", manifest.version)
        if manifest.usable and not self.pinned():
            self.point("CURRENT", manifest.version)
        return manifest

    def drop(self, version: int, names: Iterable[str]) -> None:
        """Remove files of a version that must not be kept (what it remembers of users); it can still be served."""
        there = self.manifest(version).sha256
        gone = sorted({*self.dropped(version), *(name for name in names if name in there)})
        if set(gone) == self.dropped(version):
            return
        self._put(f"{version}/{DROPPED}", json.dumps(gone).encode())
        for name in gone:
            if self.fs.exists(f"{self.base}/{version}/{name}"):
                self.fs.rm_file(f"{self.base}/{version}/{name}")

    def dropped(self, version: int) -> set[str]:
        """Files that `drop` removed."""
        try:
            return set(msgspec.json.decode(self.fs.cat_file(f"{self.base}/{version}/{DROPPED}"), type=list[str]))
        except FileNotFoundError:
            return set()

    def next_version(self) -> int:
        return max(self.versions(), default=0) + 1

    def fetch(self, version: int) -> Path:
        """The version's files but those that were dropped, in a local folder, every sha256 checked. Raises
        RegistryError."""
        manifest = self.manifest(version)
        dropped = self.dropped(version)
        folder = Path(f"{self.base}/{version}")
        if not self.local:
            folder = Path(whole_folder(self.cache / self.name / str(version), partial(self._download, manifest)))
        for name, expected in manifest.sha256.items():
            if name in dropped:
                continue
            path = folder / name
            if not path.is_file():
                raise RegistryError(f"{self.name}@{version}: {name} is missing; roll back to another version")
            if _sha256(path) != expected:
                raise RegistryError(f"{self.name}@{version}: {name} is damaged (sha256 differs); roll back")
        return folder

    def _download(self, manifest: Manifest, folder: Path) -> None:
        for name in set(manifest.sha256) - self.dropped(manifest.version):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.fs.get_file(f"{self.base}/{manifest.version}/{name}", str(folder / name))

    def resolve(self, want: str = "CURRENT") -> int:
        """A version number, alias, HEAD or CURRENT to a version. Raises RegistryError."""
        version = int(want) if VERSION.fullmatch(want) else self.pointer(want)
        if version is None:
            raise RegistryError(f"{self.name} has no {want}; train one with: python -m jobs.train_redrec --data DIR")
        return version

    def retire(self, keep: int, *, named: Iterable[str] = ()) -> list[int]:
        """Remove versions older than the newest `keep` that nothing points to; returns what went.

        `named`: versions and aliases that something outside of the registry names (running experiments)."""
        keepers = {self.pointer("HEAD"), self.pointer("CURRENT")}
        keepers |= {int(name) for name in named if VERSION.fullmatch(name)}
        if self.fs.exists(f"{self.base}/aliases"):
            names = (path.rpartition("/")[2] for path in self.fs.ls(f"{self.base}/aliases", detail=False))
            keepers |= {self.pointer(name) for name in names if NAME.fullmatch(name)}
        versions = self.versions()
        keepers |= set(versions[:1]) | set(versions[-keep:])
        gone = [v for v in versions if v not in keepers]
        for version in gone:
            self.fs.rm(f"{self.base}/{version}", recursive=True)
        return gone

    # -- spaces: the item side that several versions share

    def space_folder(self, space: str) -> Path:
        """Local folder of a space's item table (fetched when the root is remote)."""
        folder = Path(f"{self.base}/spaces/{space}")
        if not self.local:
            folder = self.cache / self.name / "spaces" / space
            if not folder.exists():
                partial = folder.with_suffix(f".{uuid.uuid4().hex}")
                self.fs.get(f"{self.base}/spaces/{space}/", str(partial), recursive=True)
                partial.rename(folder)
        if not folder.exists():
            raise RegistryError(f"{self.name}: the item table of space {space} is missing; train again")
        return folder

    def put_space(self, space: str, write: Callable[[Path], object]) -> None:
        with tempfile.TemporaryDirectory(prefix="rayapp-space-") as folder:
            write(Path(folder))
            self.fs.makedirs(f"{self.base}/spaces", exist_ok=True)
            if self.local:
                shutil.copytree(folder, f"{self.base}/spaces/{space}", dirs_exist_ok=True)
            else:
                self.fs.put(f"{folder}/", f"{self.base}/spaces/{space}/", recursive=True)

    # -- single objects

    def _put(self, name: str, content: bytes) -> None:
        path = f"{self.base}/{name}"
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        if not self.local:
            self.fs.pipe_file(path, content)
            return
        part = Path(f"{path}.{uuid.uuid4().hex}.part")
        try:
            _write_through(part, content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _create(self, name: str, content: bytes) -> None:
        """Write only if absent, whole or not at all."""
        path = f"{self.base}/{name}"
        if not self.local:
            self.fs.pipe_file(path, content, mode="create")
            return
        part = Path(f"{path}.{uuid.uuid4().hex}.part")
        try:
            _write_through(part, content)
            Path(path).hardlink_to(part)
        except FileExistsError:
            raise RegistryError(f"{self.name}: {name} exists already; another learner published it") from None
        finally:
            part.unlink(missing_ok=True)


def _write_through(file: Path, content: bytes) -> None:
    """To the disk, not only to its cache: a rename survives a power loss that the content must survive, too."""
    with file.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())


def _pointer_path(name: str) -> str:
    return name if name in POINTERS else f"aliases/{checked_name(name, 'alias')}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
