"""Items that the same users take lie near each other; an item nobody takes has no place."""

from __future__ import annotations

import numpy as np

from rayapp.data.cooccurrence import cooccurrence_vectors, item_cosines


def histories() -> list[np.ndarray]:
    """Two groups of users with ten items each; item 20 is taken by nobody else's user, 21 never."""
    rng = np.random.default_rng(0)
    rows = [rng.choice(10, 4, replace=False) + 10 * (user % 2) for user in range(200)]
    return [*rows, np.array([20])]


def test_cosines_of_binary_users() -> None:
    found = item_cosines([np.array([0, 1, 1]), np.array([0]), np.array([1, 2])], 4).toarray()
    assert np.allclose(found[0, 1], 1 / 2)
    assert np.allclose(found[1, 2], 1 / np.sqrt(2))
    assert not found.diagonal().any()
    assert np.array_equal(found, found.T)
    assert not found[3].any()


def test_items_of_a_group_are_near_and_what_stands_alone_is_nowhere() -> None:
    vectors = cooccurrence_vectors(histories(), 22, 8)
    assert vectors.shape == (22, 8)
    cosine = vectors @ vectors.T
    same = cosine[:10, :10][~np.eye(10, dtype=bool)].mean()
    assert same > cosine[:10, 10:20].mean() + 0.2
    assert np.allclose(np.linalg.norm(vectors[:20], axis=1), 1, atol=1e-5)
    assert not vectors[20:].any()
    assert np.array_equal(vectors, cooccurrence_vectors(histories(), 22, 8))


def test_small_catalogues_have_fewer_directions() -> None:
    assert cooccurrence_vectors([np.array([0, 1]), np.array([0, 1, 2])], 3, 8).shape == (3, 8)
    assert not cooccurrence_vectors([np.array([0]), np.array([1])], 2, 4).any()
