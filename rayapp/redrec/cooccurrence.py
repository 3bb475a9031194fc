"""Which items the same users took: the signal that text cannot have, before anything is learned."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh


def taken_together(histories: list[np.ndarray], items: int) -> sp.csr_matrix:
    """[I, I]: cosine of the items' binary user vectors, zero on the diagonal."""
    users = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    matrix = sp.csr_matrix(
        (np.ones(len(users), dtype=np.float32), (users, np.concatenate(histories))), shape=(len(histories), items)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1.0  # taken twice is taken
    counts = np.asarray(matrix.sum(0)).ravel()
    scale = sp.diags(1 / np.sqrt(np.maximum(counts, 1)))
    similarity = (scale @ (matrix.T @ matrix) @ scale).tocsr()
    similarity.setdiag(0)
    similarity.eliminate_zeros()
    return similarity


def cooccurrence_vectors(histories: list[np.ndarray], items: int, dim: int, seed: int = 0) -> np.ndarray:
    """float32 [I, dim]: unit vectors that are near where items are taken together; zeros for those that never are.

    The leading eigenvectors of `taken_together`, each by the root of its eigenvalue: inner products approximate the
    cosines (item-to-item collaborative filtering in its spectral form). Where there are fewer directions than `dim`
    the rest are zeros.
    """
    similarity = taken_together(histories, items)
    found = np.zeros((items, dim), dtype=np.float32)
    rank = min(dim, items - 1)
    if rank < 1 or similarity.nnz == 0:
        return found
    start = np.random.default_rng(seed).normal(size=items).astype(np.float32)
    values, vectors = eigsh(similarity.astype(np.float32), k=rank, which="LA", v0=start)
    found[:, :rank] = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(length > 1e-4, found / np.maximum(length, 1e-4), 0.0).astype(np.float32)
