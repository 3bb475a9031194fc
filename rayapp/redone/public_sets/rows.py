"""Rows of a public set's file by split, deterministic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rayapp.data.parquet import read_file
from rayapp.errors import UserError

SPLITS = ("train", "dev", "test")
TENTHS = 10


class PublicSetError(UserError):
    """A public set is missing or cannot be read."""


def rows(folder: Path, file: str, split: str, has: tuple[str, ...] = SPLITS) -> list[dict[str, Any]]:
    """`has`: the splits that the file itself has. A tenth of its train split stands in for a dev split, and for a test
    split, too, where it has neither; which row is where depends on its first column alone. Raises PublicSetError."""
    path = folder / file
    if not path.is_file():
        raise PublicSetError(f"{folder}: {file} is not there; give the folder of the public sets")
    table_rows = read_file(path).to_pylist()
    made = [name for name in ("test", "dev") if name not in has]

    def where(row: dict[str, Any]) -> str:
        row_split = row.get("split", "train")
        if row_split != "train":
            return str(row_split)
        tenth = int.from_bytes(hashlib.blake2b(repr(next(iter(row.values()))).encode()).digest()[:4], "big") % TENTHS
        return made[tenth] if tenth < len(made) else "train"

    return [row for row in table_rows if where(row) == split]


def shuffled(items: list[Any], seed: int) -> Iterator[tuple[Any, np.random.Generator]]:
    """Items in a fixed random order, each with its own generator; a longer list starts like a shorter one."""
    for n in np.random.default_rng(seed).permutation(len(items)):
        yield items[n], np.random.default_rng([seed, int(n)])
