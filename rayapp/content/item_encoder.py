"""What an item's content vector is made of: its text, and its picture beside it (RED-Rec, section 3.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from rayapp.content.image_encoder import ImageEncoder, ImageError, opened, read_bytes
from rayapp.content.table_encoder import TableEncoder
from rayapp.content.text_encoder import TextEncoder, text_key
from rayapp.content.vector_cache import VectorCache, rounded
from rayapp.domain import Item

DECODER = "decoder:"
TABLE = "table:"
CHUNK = 2048
PICTURES_AT_ONCE = 16  # decoded; one of 12 megapixels takes 36 MB


class TextVectors(Protocol):
    """Any of the text encoders."""

    dim: int

    def encode(self, texts: list[str], batch_size: int = ...) -> np.ndarray: ...


class ItemEncoder:
    """`name`: TEXT, TEXT|IMAGE or table:FILE (vectors that were made elsewhere, as `TableEncoder` reads them).

    TEXT is a sentence encoder (a packaged one, a folder, an id) or decoder: and a language model; IMAGE as ImageEncoder
    has it. Text and picture stand side by side in one vector, each of unit length, zeros where there is no picture: a
    query, which has none, meets the text alone, and the projection head learns what either is worth.
    """

    def __init__(self, name: str, decoder_folder: Callable[[str], str] = str) -> None:
        """`decoder_folder`: a decoder's name to its folder."""
        self.name = name
        text, _, image = name.partition("|")
        self.text: TextVectors
        self.table = TableEncoder(text.removeprefix(TABLE)) if text.startswith(TABLE) else None
        if self.table is not None:
            self.text = self.table
        elif text.startswith(DECODER):
            from rayapp.content.decoder_encoder import DecoderEncoder

            self.text = DecoderEncoder(decoder_folder(text.removeprefix(DECODER)))
        else:
            self.text = TextEncoder(text)
        self.image = ImageEncoder(image) if image else None
        self.dim = self.text.dim + (self.image.dim if self.image is not None else 0)
        self.unreadable: list[str] = []  # what was wrong with pictures that the last call left out

    def encode(self, texts: list[str], batch_size: int = 128) -> np.ndarray:
        """[N, dim] of texts without pictures."""
        found = self.text.encode(texts, batch_size=batch_size)
        if self.image is None:
            return found
        return np.concatenate([found, np.zeros((len(found), self.image.dim), np.float32)], axis=1)

    def encode_items(self, items: list[Item], batch_size: int = 128) -> np.ndarray:
        """[N, dim]; a picture that cannot be read is left out and told in `unreadable`."""
        self.unreadable = []
        if self.table is not None:
            return self.table.of([item.item_id for item in items])
        vectors = self.encode([item.text for item in items], batch_size)
        if self.image is None:
            return vectors
        with_picture = [row for row, item in enumerate(items) if item.image]
        for start in range(0, len(with_picture), PICTURES_AT_ONCE):
            rows, pictures = [], []
            for row in with_picture[start : start + PICTURES_AT_ONCE]:
                item = items[row]
                try:
                    pictures.append(opened(read_bytes(item.image or ""), item.image or ""))
                    rows.append(row)
                except ImageError as error:
                    self.unreadable.append(f"item {item.item_id}: {error}")
            if rows:
                vectors[rows, self.text.dim :] = self.image.encode(pictures)
        return vectors


def content_key(encoder: str, item: Item) -> str:
    """Identifies what a vector was made from: encoder, text and the picture's bytes; for a table, the item's id."""
    if encoder.startswith(TABLE):
        return text_key(encoder, item.item_id)
    if "|" not in encoder or not item.image:
        return text_key(encoder, item.text)
    try:
        picture = hashlib.sha256(read_bytes(item.image)).hexdigest()
    except ImageError:
        picture = ""
    return text_key(encoder, f"{item.text}\0{picture}")


def encode_items_cached(
    name: str,
    items: list[Item],
    cache: Path,
    *,
    decoder_folder: Callable[[str], str] = str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[np.ndarray, list[str]]:
    """([I, dim], what was wrong with pictures): only what was never encoded is; a killed run keeps whole chunks.

    `on_progress(done, total)`: of those that had to be encoded.
    """
    if name.startswith(TABLE):  # it is a cache itself, and may be written anew
        return ItemEncoder(name).encode_items(items), []
    known = VectorCache(cache, name)
    keys = [content_key(name, item) for item in items]
    found = known.get(keys)
    first = {key: n for n, key in reversed(list(enumerate(keys))) if key not in found}
    # Texts of like length together: less padding.
    order = sorted(first.values(), key=lambda n: len(items[n].text))
    unreadable: list[str] = []
    if order:
        encoder = ItemEncoder(name, decoder_folder)
        for start in range(0, len(order), CHUNK):
            part = order[start : start + CHUNK]
            vectors = encoder.encode_items([items[n] for n in part])
            known.put([keys[n] for n in part], vectors)
            found.update(zip((keys[n] for n in part), rounded(vectors), strict=True))
            unreadable += encoder.unreadable
            on_progress(min(start + CHUNK, len(order)), len(order))
    return np.stack([found[key] for key in keys]), unreadable
