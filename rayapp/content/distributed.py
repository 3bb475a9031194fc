"""Content vectors by Ray Data: encoders side by side, every batch into the cache as it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import ray.data
import torch

from rayapp.cluster import arrow_tables
from rayapp.content.item_encoder import ItemEncoder, content_key
from rayapp.content.vector_cache import VectorCache
from rayapp.cores import usable_cores
from rayapp.domain import Item
from rayapp.llm.base_model import model_folder

BATCH = 1024  # a part of the cache: what a kill costs at most, an encoder
DONE = pa.schema([("encoded", pa.int64()), ("unreadable", pa.list_(pa.string()))])


class EncodeBatch:
    """One encoder in an actor: rows of (key, item) to the cache."""

    def __init__(self, name: str, cache: str, models: str) -> None:
        torch.set_num_threads(int(ray.get_runtime_context().get_assigned_resources().get("CPU", 1)) or 1)
        self.encoder = ItemEncoder(name, lambda model: model_folder(model, Path(models)))
        self.cache = VectorCache(cache, name)

    def __call__(self, batch: pa.Table) -> pa.Table:
        items = [msgspec.json.decode(row, type=Item) for row in batch["item"].to_pylist()]
        order = sorted(range(len(items)), key=lambda n: len(items[n].text))  # texts of like length: less padding
        vectors = self.encoder.encode_items([items[n] for n in order])
        self.cache.put([batch["key"][n].as_py() for n in order], vectors)
        return pa.table({"encoded": [len(items)], "unreadable": [self.encoder.unreadable]}, schema=DONE)


def encode_with_ray(
    name: str,
    items: list[Item],
    *,
    cache: Path,
    models: Path,
    encoders: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Encode what the cache does not have. `cache` and `models` must be the same folders on every node.

    Returns counts and what was wrong with pictures. `encoders`: actors, each with a GPU where the cluster has any.
    """
    keys = [content_key(name, item) for item in items]
    known = VectorCache(cache, name).get(keys)
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
    unreadable: list[str] = []
    if missing:
        rows = pa.table({"key": list(missing), "item": [msgspec.json.encode(item) for item in missing.values()]})
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0))
        cores = 1 if gpus else max(1, usable_cores() // encoders)
        encoded = ray.data.from_arrow(
            [rows.slice(start, BATCH).combine_chunks() for start in range(0, len(rows), BATCH)]
        ).map_batches(
            EncodeBatch,
            fn_constructor_args=(name, str(cache), str(models)),
            batch_format="pyarrow",
            batch_size=BATCH,
            concurrency=(1, encoders),
            num_cpus=cores,
            num_gpus=gpus,
        )
        done = 0
        for batch in arrow_tables(encoded.iter_batches(batch_size=1, batch_format="pyarrow")):
            done += sum(batch["encoded"].to_pylist())
            unreadable += [text for texts in batch["unreadable"].to_pylist() for text in texts]
            on_progress(done, len(missing))
    return {
        "items": len(items),
        "known_before": len(items) - sum(key in missing for key in keys),
        "encoded": len(missing),
        "unreadable": unreadable,
    }
