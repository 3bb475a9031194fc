"""A store with a few notes and a registry with a small model, for tests of what serves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rayapp.config import Config
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Item
from rayapp.experiments.report import Report
from rayapp.redrec.model.artifact import model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.retrieval.snapshot import Snapshot
from rayapp.stores.backend import StoreBackend
from rayapp.stores.registry import Manifest, Registry

ITEMS = [Item(item_id=f"i{n}", title=f"title {n}") for n in range(6)]
SCENARIOS = ("homefeed", "search")
SMALL = ModelConfig(dim=8, width=16, heads=2, length=10)


def small_contents() -> np.ndarray:
    """[6, 12]."""
    return torch.randn(6, 12, generator=torch.Generator().manual_seed(0)).half().float().numpy()


def fill(backend: StoreBackend) -> None:
    backend.catalogue_store().put(ITEMS, small_contents())


class NoReports:
    """Reports of experiments that nobody made."""

    async def report(self, name: str) -> Report | None:
        return None

    async def watch(self) -> None:
        return None


def publish(
    config: Config,
    name: str,
    seed: int,
    *,
    items: list[Item] = ITEMS,
    contents: np.ndarray | None = None,
    scenarios: tuple[str, ...] = SCENARIOS,
    actions: tuple[str, ...] = ("click",),
    settings: ModelConfig = SMALL,
) -> Manifest:
    """A version whose weights are the seed's."""
    torch.manual_seed(seed)
    vectors_IE = small_contents() if contents is None else contents
    content = torch.cat([torch.from_numpy(vectors_IE), torch.zeros(1, vectors_IE.shape[1])])
    model = RedRec(settings, Vocabulary(scenarios, actions), content).eval()
    registry, space = Registry(config.models, name), f"s{seed}"

    def write_space(folder: Path) -> None:
        vectors = save_space(folder, model, items, "encoder")
        Snapshot.build([item.item_id for item in items], vectors).save(folder / "index", space=space)

    registry.put_space(space, write_space)
    version = registry.next_version()
    description = model_description(model, "encoder")
    manifest = Manifest(version, None, space, 0, {}, 0, {}, {}, "passed", description)
    return registry.publish(manifest, lambda folder: save_user_side(folder, model.user))
