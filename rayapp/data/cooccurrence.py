"""Item-item co-occurrence from interactions: collaborative signal that content does not have, without training."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds


def user_item_matrix(histories: list[np.ndarray], items: int) -> sp.csr_matrix:
    """[users, I]: the binary user-item matrix with L2-normalised columns; the product of two columns is their
    cosine."""
    users = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    taken = np.concatenate(histories) if histories else np.empty(0, dtype=np.int64)
    matrix = sp.csr_matrix((np.ones(len(users), dtype=np.float32), (users, taken)), shape=(len(histories), items))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0  # binary
    counts = np.asarray(matrix.sum(0)).ravel()
    return (matrix @ sp.diags(1 / np.sqrt(np.maximum(counts, 1)))).tocsr()


def item_cosines(histories: list[np.ndarray], items: int) -> sp.csr_matrix:
    """[I, I]: cosine of the items' binary user vectors, zero on the diagonal."""
    columns = user_item_matrix(histories, items)
    similarity = (columns.T @ columns).tocsr()
    similarity.setdiag(0)
    similarity.eliminate_zeros()
    return similarity


def cooccurrence_vectors(histories: list[np.ndarray], items: int, dim: int, seed: int = 0) -> np.ndarray:
    """float32 [I, dim]: unit vectors, close for items that co-occur; zeros for items that never do.

    The leading eigenvectors of `item_cosines`, each scaled by the root of its eigenvalue, so that inner products
    approximate the cosines (spectral item-to-item collaborative filtering). They are computed without the matrix, in
    time and memory linear in the events: with a unit diagonal it is the Gram matrix of `user_item_matrix`, and the
    diagonal shifts eigenvalues by one. If the rank is below `dim` the remaining columns are zeros."""
    columns = user_item_matrix(histories, items)
    vectors = np.zeros((items, dim), dtype=np.float32)
    rank = min(dim, min(columns.shape) - 1)
    if rank < 1:
        return vectors
    start = np.random.default_rng(seed).normal(size=min(columns.shape)).astype(np.float32)
    _, sizes, right = svds(columns, k=rank, v0=start)
    assert right is not None  # svds leaves out a side only on request
    vectors[:, :rank] = right.T * np.sqrt(np.maximum(sizes**2 - 1, 0.0))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-2, vectors / np.maximum(length, 1e-2), 0.0).astype(np.float32)
