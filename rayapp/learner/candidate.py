"""A candidate version: a snapshot of the learner's state, on disk until the gate has decided."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
from safetensors import SafetensorError

from rayapp.learner.gate import GateComparison, gate_decision, weight_defect
from rayapp.redrec.model.artifact import load_user_side
from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.prequential import positive_ranks
from rayapp.redrec.online.window import LabelledExample
from rayapp.stores.registry import Manifest, Registry, RegistryError


class CandidateVersion:
    """Scored on later windows beside the served version, then published with the gate's decision.

    The learner continues to train; the published version is the state at the time
    of the snapshot, with its offsets, whatever the decision.
    """

    def __init__(
        self,
        manifest: Manifest,
        user: UserSide,
        served: UserSide,
        *,
        write: Callable[[Path], None],
        received_ms: list[int],
        scratch: Path,
    ) -> None:
        self.manifest = manifest
        self.user = copy.deepcopy(user).eval()
        self.served = served
        self.reason = weight_defect(self.user, served)
        self.comparison = GateComparison()
        self.received_ms = received_ms
        self.since = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            write(self.folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            self.close()  # torch and safetensors raise their own errors for a full disk
            raise OSError(f"{self.folder}: {error}") from error

    def score(self, positives: list[LabelledExample], items: ItemVectors) -> None:
        """Rank a window's positives with both models; call before any model trains on it."""
        first = positives[: max(0, self.comparison.room)]
        if not first or self.reason is not None:
            return
        users = [p.example.user_id for p in first]
        ranks = positive_ranks(self.user, first, items)
        self.comparison.add(users, ranks, positive_ranks(self.served, first, items))

    def ready(self, wait_s: float) -> bool:
        """Whether the gate can decide: the comparison is complete, ruled out, or `wait_s` is over."""
        return self.reason is not None or self.comparison.decided or time.monotonic() - self.since >= wait_s

    def publish(self, registry: Registry) -> Manifest:
        """Publish with the gate's decision; CURRENT moves only if the version may be served."""
        metrics: dict[str, Any] = dict(self.manifest.metrics)
        if len(self.comparison.sums) > 1:
            metrics["gate"] = self.comparison.result()._asdict()
        manifest = msgspec.structs.replace(
            self.manifest,
            version=registry.next_version(),
            metrics=metrics,
            gate=gate_decision(self.reason, self.comparison),
        )
        try:
            return registry.publish(manifest, lambda to: shutil.copytree(self.folder, to, dirs_exist_ok=True))
        finally:
            self.close()

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def scratch_folder(base: Path) -> Path:
    """This process's folder for candidates; folders of processes that no longer run are removed."""
    base.mkdir(parents=True, exist_ok=True)
    for other in base.iterdir():
        if other.name.isdigit() and not psutil.pid_exists(int(other.name)):
            shutil.rmtree(other, ignore_errors=True)
    folder = base / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return folder


def served_side(registry: Registry, head: Manifest, *, say: Callable[[str], None]) -> UserSide:
    """The reference for candidates: the served version, or HEAD if their spaces differ."""
    version = head.version
    try:
        current = registry.manifest(registry.resolve("CURRENT"))
        if current.space == head.space:
            return load_user_side(registry.fetch(current.version), current.config)
    except RegistryError as error:
        say(f"the served version cannot be read ({error}); comparing with {version}")
    return load_user_side(registry.fetch(version), head.config)
