"""A data folder as the dataset that training workers share: one row a user."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from rayapp.data.folder import DataFolder, item_rows, of_scenarios, vocabulary_of
from rayapp.data.sequences import user_sequences
from rayapp.data.vocabulary import Vocabulary
from rayapp.domain import Action, Item
from rayapp.training.redrec_settings import TrainingError

BLOCK_ROWS = 500_000


class TrainingData(NamedTuple):
    """User sequences (rayapp/data/sequences.py: SEQUENCE_SCHEMA), the catalogue in row order, the vocabulary."""

    sequences: ray.data.Dataset
    items: list[Item]
    vocabulary: Vocabulary


def training_data(folder: DataFolder, *, scenarios: tuple[str, ...] = (), blocks: int = 4) -> TrainingData:
    """Interactions normalised and partitioned by user into `blocks`.

    `scenarios`: only the events of these; all by default. Raises TrainingError for one without events.
    """
    items = folder.items()
    rows = item_rows(items)
    table = folder.interactions()
    _check_known(folder, table, rows)
    unknown = set(scenarios) - set(pc.unique(table["scenario"]).to_pylist())
    if unknown:
        raise TrainingError(f"{folder.path} has no events of scenario {', '.join(sorted(unknown))}")
    wanted = of_scenarios(table, scenarios)
    vocabulary = vocabulary_of(wanted)
    # The table that was checked, not its files again: what a row means may stand in a folder's name.
    slices: list[pa.Table | bytes] = [
        wanted.slice(start, BLOCK_ROWS) for start in range(0, wanted.num_rows, BLOCK_ROWS)
    ]
    interactions = ray.data.from_arrow(slices)
    dataset = interactions.repartition(blocks, keys=["user_id"]).map_batches(
        lambda t: user_sequences(_table(t), vocabulary, rows), batch_format="pyarrow", batch_size=None
    )
    return TrainingData(dataset.materialize(), items, vocabulary)


def _check_known(folder: DataFolder, table: pa.Table, rows: dict[str, int]) -> None:
    """Raises TrainingError where no event is about an item of the catalogue: a model of nobody is of no use."""
    actions = table.filter(pc.not_equal(table["action"], Action.IMPRESSION.value))
    ids = pc.unique(actions["item_id"])
    if any(item_id in rows for item_id in ids.to_pylist()):
        return
    if not len(ids):
        raise TrainingError(f"{folder.path} has impressions only; training needs clicks or other actions")
    examples = f"such as {ids[0].as_py()!r} there and {next(iter(rows))!r} here"
    raise TrainingError(
        f"{folder.path}: no item_id of the interactions is in items.parquet ({examples}); align the ids"
    )


def _table(batch: object) -> pa.Table:
    """A batch of format "pyarrow", which Ray types as any of its formats."""
    assert isinstance(batch, pa.Table)
    return batch
