"""GrowthBook's assignment: a user's arm is a function of names and shares alone, so nothing has to be stored.

Hash version 2 for the arm, version 1 for the namespace, as the GrowthBook SDKs
have them (docs.growthbook.io/lib/build-your-own); equal to theirs for every id.
"""

from __future__ import annotations

from collections.abc import Sequence

FNV_START, FNV_PRIME = 0x811C9DC5, 0x01000193


def fnv1a32(text: str) -> int:
    """FNV-1a over UTF-16 code units, as JavaScript sees the text; 32 bits."""
    data = text.encode("utf-16-le", "surrogatepass")
    value = FNV_START
    for low, high in zip(data[::2], data[1::2], strict=True):
        value = ((value ^ (low | high << 8)) * FNV_PRIME) & 0xFFFFFFFF
    return value


def bucket(seed: str, user_id: str) -> float:
    """Hash version 2: one of 10,000 places in [0, 1)."""
    return fnv1a32(str(fnv1a32(seed + user_id))) % 10_000 / 10_000


def in_namespace(layer: str, share: tuple[float, float], user_id: str) -> bool:
    """Is the user in [start, end) of the layer? One of 1,000 places, the same in every experiment of the layer."""
    return share[0] <= fnv1a32(f"{user_id}__{layer}") % 1_000 / 1_000 < share[1]


def arm_of(seed: str, user_id: str, weights: Sequence[float], coverage: float = 1.0) -> int | None:
    """Index of the user's arm, None outside the coverage. Arms keep their users when the coverage grows."""
    place, start = bucket(seed, user_id), 0.0
    for index, weight in enumerate(weights):
        if start <= place < start + coverage * weight:
            return index
        start += weight
    return None
