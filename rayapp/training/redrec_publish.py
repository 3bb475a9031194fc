"""From a training checkpoint to a version: space, user side, learner state, manifest."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import torch

from rayapp.config import Config
from rayapp.content.item_encoder import DECODER
from rayapp.data.folder import DataFolder, bootstrap_events
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.redrec.model.artifact import model_description, save_space, save_user_side
from rayapp.redrec.model.pretrained import load_learned
from rayapp.redrec.online.online_model import memory_of, save_memory
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.retrieval.snapshot import Snapshot
from rayapp.stores.registry import Manifest, Registry
from rayapp.terminal import console
from rayapp.training.redrec_loop import build_model


def publish_trained(
    config: Config,
    settings: TrainConfig,
    folder: DataFolder,
    items: list[Item],
    vocabulary: Vocabulary,
    content: np.ndarray,
    checkpoint: ray.train.Checkpoint,
    models: str | None,
    name: str,
    offsets: dict[str, dict[str, int]],
    held_out: dict[str, Any],
) -> tuple[Manifest, dict[str, Any]]:
    """The best state of a run as a new version with a space of its own; `held_out`: what training did not see."""
    with checkpoint.as_directory() as path:
        state = torch.load(Path(path) / "state.pt", map_location="cpu", weights_only=False)
    model = build_model(settings, vocabulary, content, [item.text for item in items])
    load_learned(model, state["best"] or state["model"])
    model.read_items()
    model.eval()
    registry = Registry(models or str(config.state_path.resolve() / "models"), name)
    space = f"s{uuid.uuid4().hex[:8]}"
    encoder = settings.encoder
    if model.reader is not None:
        folder_of_encoder = config.state_path.resolve() / "encoders" / f"{name}-{space}"
        model.reader.save(folder_of_encoder)
        encoder = f"{DECODER}{folder_of_encoder}"
        console.print(f"      the encoder learned too; serve with `encoder: {encoder}`")

    def write_space(target: Path) -> None:
        vectors = save_space(target, model, items, encoder)
        Snapshot.build([item.item_id for item in items], vectors).save(target / "index", space=space)

    registry.put_space(space, write_space)
    memory = memory_of(bootstrap_events(folder), settings.model.length, config.learner)

    def write(target: Path) -> None:
        save_user_side(target, model.user)
        save_memory(target, *memory)

    metrics = {
        **held_out,
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
        offsets=offsets,
        events_seen=folder.interactions().num_rows,
        skipped={},
        metrics=metrics,
        gate="passed" if all(torch.isfinite(p).all() for p in model.parameters()) else "weights are not finite",
        config=model_description(model, encoder),
    )
    return registry.publish(manifest, write), metrics
