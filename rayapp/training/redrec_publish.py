"""From a training checkpoint to a version of the registry: item space, user side, learner state, manifest."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ray.train
import torch

from rayapp.content.item_encoder import DECODER
from rayapp.data.folder import DataFolder, bootstrap_events
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.redrec.model.artifact import model_description, save_space, save_user_side
from rayapp.redrec.model.pretrained import load_learned
from rayapp.redrec.online.online_model import memory_of, save_memory
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.retrieval.snapshot import Snapshot
from rayapp.stores.registry import Manifest, Registry
from rayapp.training.redrec_loop import build_model


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished run and what it was made from.

    `content` [I, E] are the encoder's vectors of `items`. `held_out` is what training did not see, as the manifest
    records it. `offsets`: {topic: {partition: next offset}} that the folder covers.
    """

    settings: TrainConfig
    folder: DataFolder
    items: list[Item]
    vocabulary: Vocabulary
    content: np.ndarray
    checkpoint: ray.train.Checkpoint
    held_out: dict[str, object]
    offsets: dict[str, dict[str, int]]


def publish_trained(
    run: TrainedRun, registry: Registry, *, encoders: Path, learner: OnlineSettings, say: Callable[[str], None]
) -> Manifest:
    """The best state of the run as a new version with a space of its own.

    `encoders`: folder for an encoder that learned too. `learner`: settings of the online learner, which decide what
    the version remembers of the folder's events.
    """
    with run.checkpoint.as_directory() as path:
        state = torch.load(Path(path) / "state.pt", map_location="cpu", weights_only=False)
    model = build_model(run.settings, run.vocabulary, run.content, [item.text for item in run.items])
    load_learned(model, state["best"] or state["model"])
    model.read_items()
    model.eval()
    space = f"s{uuid.uuid4().hex[:8]}"
    encoder = run.settings.encoder
    if model.reader is not None:
        trained_encoder = encoders / f"{registry.name}-{space}"
        model.reader.save(trained_encoder)
        encoder = f"{DECODER}{trained_encoder}"
        say(f"the encoder was trained too; serve with `encoder: {encoder}`")

    def write_space(target: Path) -> None:
        vectors = save_space(target, model, run.items, encoder)
        Snapshot.build([item.item_id for item in run.items], vectors).save(target / "index", space=space)

    registry.put_space(space, write_space)
    memory = memory_of(bootstrap_events(run.folder), run.settings.model.length, learner)

    def write(target: Path) -> None:
        save_user_side(target, model.user)
        save_memory(target, memory)

    metrics = {
        **run.held_out,
        "epochs": state["done"]["epoch"],
        "resumed_after_epochs": state["done"]["resumed_after"],
        "train_seconds": round(state["done"]["seconds"], 1),
        "validation": state["done"]["metrics"],
    }
    manifest = Manifest(
        version=registry.next_version(),
        parent=None,
        space=space,
        created_ms=0,
        offsets=run.offsets,
        events_seen=run.folder.interactions().num_rows,
        skipped={},
        metrics=metrics,
        gate="passed" if all(torch.isfinite(p).all() for p in model.parameters()) else "weights are not finite",
        config=model_description(model, encoder),
    )
    return registry.publish(manifest, write)
