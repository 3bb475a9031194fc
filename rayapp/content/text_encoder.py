"""The frozen text encoder of the item tower: any sentence-transformers folder, MiniLM from PyPI by default."""

from __future__ import annotations

import hashlib
import importlib.resources

import numpy as np
import torch

from rayapp.content.settings import DEFAULT_ENCODER


def encoder_path(name: str) -> str:
    """A folder or hub id as it is; the PyPI package name to the folder inside the package."""
    if name == DEFAULT_ENCODER:
        return str(importlib.resources.files(DEFAULT_ENCODER) / "model")
    return name


class TextEncoder:
    """Texts to L2-normalised float32 vectors [N, dim]."""

    def __init__(self, name: str = DEFAULT_ENCODER, max_tokens: int = 64) -> None:
        from sentence_transformers import SentenceTransformer

        self.name = name
        self.model = SentenceTransformer(encoder_path(name), device="cuda" if torch.cuda.is_available() else "cpu")
        self.model.max_seq_length = max_tokens
        self.dim = int(self.model.get_embedding_dimension() or 0)

    def encode(self, texts: list[str], batch_size: int = 128) -> np.ndarray:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        with torch.inference_mode():
            vectors = self.model.encode(
                texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)


def text_key(encoder: str, text: str) -> str:
    """The cache key of one text's vector: changes with encoder and content."""
    return hashlib.sha256(f"{encoder}\0{text}".encode()).hexdigest()[:24]
