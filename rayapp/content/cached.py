"""Content vectors for jobs: cached by content below the state folder, with progress."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from rayapp.content.item_encoder import encode_items_cached
from rayapp.content.settings import EncoderCache
from rayapp.cores import usable_cores
from rayapp.domain import Item
from rayapp.llm.base_model import model_folder

Say = Callable[[str], None]


def encoded(encoder: str, items: list[Item], *, cache: EncoderCache, say: Say) -> np.ndarray:
    """Content vectors [I, E]; pictures that cannot be read are reported through `say` and left out."""
    torch.set_num_threads(usable_cores())  # Ray gives a job's driver one
    vectors, unreadable = encode_items_cached(
        encoder,
        items,
        cache.vectors.resolve(),
        decoder_folder=partial(model_folder, cache=cache.models),
        on_progress=lambda done, total: say(f"      {done:,} of {total:,} texts"),
    )
    if unreadable:
        say(f"      {len(unreadable):,} pictures could not be read and are left out; the first: {unreadable[0]}")
    return vectors


def encoded_texts(encoder: str, texts: list[str], *, cache: EncoderCache, say: Say) -> np.ndarray:
    """Content vectors [N, E] of texts without pictures."""
    items = [Item(item_id=f"text {n}", title=text) for n, text in enumerate(texts)]
    return encoded(encoder, items, cache=cache, say=say)
