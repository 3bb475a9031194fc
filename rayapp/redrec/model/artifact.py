"""A trained model on disk: the item side as a `space` shared by versions, the user side as a version.

A space holds the item table (ids, scenarios, content keys and vectors) and the
frozen item projection. A version holds what the online learner changes. Vectors
of two versions of one space can be compared; those of two spaces cannot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file

from rayapp.content.item_encoder import content_key
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.redrec.model.heads import ItemTower
from rayapp.redrec.model.pretrained import learned_state, load_learned
from rayapp.redrec.model.redrec import ModelConfig, RedRec, UserSide


def model_description(model: RedRec, encoder: str) -> dict[str, Any]:
    """The manifest's `config`: what is needed to rebuild the model."""
    return {
        "model": msgspec.to_builtins(model.config),
        "vocabulary": msgspec.to_builtins(model.vocabulary),
        "encoder": encoder,
    }


def save_space(folder: Path, model: RedRec, items: list[Item], encoder: str) -> np.ndarray:
    """Write the item side; `items` in row order. Returns the item vectors [I, D]."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        "item_id": [item.item_id for item in items],
        "scenario": [item.scenario for item in items],
        "content_key": [content_key(encoder, item) for item in items],
    }
    types = [(name, pa.string()) for name in table]
    pq.write_table(pa.table(table, schema=pa.schema(types)), folder / "items.parquet")
    with torch.inference_mode():
        vectors = model.cpu().eval().item_vectors(torch.arange(len(items)))
    save_file({"content": model.content[:-1].half().contiguous()}, folder / "content.safetensors")
    save_file({k: v.contiguous() for k, v in model.item_tower.state_dict().items()}, folder / "item_side.safetensors")
    return vectors.numpy()


class ItemSpace:
    """A loaded space: item vectors by id, and the projection of new content into it."""

    def __init__(self, folder: Path, description: dict[str, Any]) -> None:
        config = msgspec.convert(description["model"], ModelConfig)
        self.name = folder.name
        self.dim = config.dim
        self.encoder: str = description["encoder"]
        table = pq.read_table(folder / "items.parquet")
        self.ids: list[str] = table["item_id"].to_pylist()
        self.rows = {item_id: row for row, item_id in enumerate(self.ids)}
        self.scenarios: list[str | None] = table["scenario"].to_pylist()
        self.keys: list[str] = table["content_key"].to_pylist()
        self.content: torch.Tensor = load_file(folder / "content.safetensors")["content"]
        self.tower = ItemTower(
            len(self.ids),
            self.content.shape[1],
            config.dim,
            dropout=0.0,
            use_ids=config.use_ids,
            id_dropout=config.id_dropout,
        ).eval()
        self.tower.load_state_dict(load_file(folder / "item_side.safetensors"))

    def content_by_key(self) -> dict[str, np.ndarray]:
        """Content vectors [E] by content key, so that these items need not be encoded again."""
        content = self.content.float().numpy()
        return dict(zip(self.keys, content, strict=True))

    def project(self, content_NE: np.ndarray, ids: list[str]) -> np.ndarray:
        """Item vectors [N, D] of items with this content; known ids keep their id embedding."""
        rows = torch.tensor([self.rows.get(item_id, self.tower.unknown) for item_id in ids], dtype=torch.long)
        with torch.inference_mode():
            vectors = self.tower(torch.from_numpy(np.asarray(content_NE, dtype=np.float32)), rows)
            return torch.nn.functional.normalize(vectors, dim=-1).numpy()


def save_user_side(folder: Path, user: UserSide) -> None:
    state = {k: v.cpu().contiguous() for k, v in learned_state(user).items()}
    save_file(state, folder / "user_side.safetensors")


def load_user_side(folder: Path, description: dict[str, Any]) -> UserSide:
    """The user side of a version, in evaluation mode."""
    config = msgspec.convert(description["model"], ModelConfig)
    user = UserSide(config, msgspec.convert(description["vocabulary"], Vocabulary))
    load_learned(user, load_file(folder / "user_side.safetensors"))
    return user.eval()
