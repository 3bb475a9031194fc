"""Attention over packed examples with shared prefixes, at the cost of what each example attends to, not of the row.

Rows of a batch lie one after another as one sequence, without padding. Its
segments (prefixes and their members, see `packing`) are sorted by length into a
few buckets; a bucket is attention of each segment over its prefix and itself.
Everything else in the model sees plain tokens. Registered with transformers'
attention interface, so it serves every model that goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import embedding
from transformers import AttentionInterface

NAME = "shared_prefix"
SHORTEST = 32  # segments up to this length share a bucket; above it there is one per doubling


class Bucket(NamedTuple):
    """M segments of at most L tokens after prefixes of at most P: positions in the sequence, and the attention mask."""

    queries: torch.Tensor  # [M, L]
    seen: torch.Tensor  # [M, P + L]
    hidden: torch.Tensor  # [M, L, P + L] bool


@dataclass(frozen=True)
class PrefixLayout:
    """`back` [T]: the index of each token in the concatenated outputs of the buckets."""

    buckets: list[Bucket]
    back: torch.Tensor

    def to(self, device: Any, **_: Any) -> PrefixLayout:
        """Accelerate moves a batch's members to a device by this method."""
        return PrefixLayout(
            [Bucket(*(part.to(device) for part in bucket)) for bucket in self.buckets], self.back.to(device)
        )


def layout_of(groups: np.ndarray, members: np.ndarray) -> PrefixLayout:
    """The layout of a sequence [T] from its groups and members; a group's prefix (member 0) precedes its members."""
    edges = np.flatnonzero((np.diff(groups) != 0) | (np.diff(members) != 0)) + 1
    starts, ends = np.array([0, *edges]), np.array([*edges, len(groups)])
    prefixes = {int(groups[a]): (a, b) for a, b in zip(starts, ends, strict=True) if members[a] == 0}
    sorted_: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for a, b in zip(starts, ends, strict=True):
        first, last = prefixes.get(int(groups[a]), (0, 0)) if members[a] else (0, 0)
        sorted_.setdefault((_size(b - a), _size(last - first)), []).append((a, b, first, last))
    buckets: list[Bucket] = []
    back = np.zeros(len(groups), dtype=np.int64)
    placed = 0
    for segments in sorted_.values():
        a, b, first, last = (np.array(column)[:, None] for column in zip(*segments, strict=True))
        own_at, prefix_at = np.arange((b - a).max()), np.arange((last - first).max())
        queries, prefix = np.minimum(a + own_at, b - 1), np.minimum(first + prefix_at, np.maximum(last - 1, 0))
        for row, (start, end, *_) in enumerate(segments):
            back[start:end] = placed + row * len(own_at) + np.arange(end - start)
        placed += queries.size
        # Padding repeats a segment's last token, so that no row of the mask is empty.
        later = np.broadcast_to(own_at[None, :] > own_at[:, None], (len(a), len(own_at), len(own_at)))
        beyond = np.broadcast_to((prefix_at >= last - first)[:, None], (len(a), len(own_at), len(prefix_at)))
        buckets.append(
            Bucket(
                torch.from_numpy(queries),
                torch.from_numpy(np.concatenate([prefix, queries], 1)),
                torch.from_numpy(np.concatenate([beyond, later], 2)),
            )
        )
    return PrefixLayout(buckets, torch.from_numpy(back))


@torch.compiler.disable
def attend(  # noqa: PLR0917 - transformers passes the first five by position
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    scaling: float,
    prefix_layout: PrefixLayout,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """[1, T, H, D] of query [1, H, T, D], key and value [1, K, T, D] with H a multiple of K (grouped queries)."""
    heads, length, size = query.shape[1:]
    own_heads = key.shape[1]
    flat = [part[0].transpose(0, 1).reshape(length, -1) for part in (query * scaling, key, value)]
    outputs = []
    for queries, seen, hidden in prefix_layout.buckets:
        count, longest = queries.shape
        # Embedding lookups: their gradients accumulate fast where many segments share a prefix.
        q = embedding(queries, flat[0]).view(count, longest, own_heads, -1, size).permute(0, 2, 3, 1, 4)
        k, v = (embedding(seen, part).view(count, -1, own_heads, size).permute(0, 2, 1, 3) for part in flat[1:])
        scores = q.flatten(2, 3) @ k.transpose(2, 3)
        scores = scores.view(*q.shape[:4], -1).masked_fill(hidden[:, None, None], float("-inf"))
        shares = _softmax(scores).flatten(2, 3)
        mixed = (shares @ v).view(count, own_heads, -1, longest, size)
        outputs.append(mixed.permute(0, 3, 1, 2, 4).reshape(count * longest, heads * size))
    return embedding(prefix_layout.back, torch.cat(outputs)).view(1, length, heads, size), None


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    """In the scores' own type; autocast would write it in float32, twice the memory for what is rounded right after."""
    with torch.autocast(scores.device.type, enabled=False):
        return scores.softmax(-1)


def _size(length: int) -> int:
    """0, SHORTEST, and its doublings."""
    return 0 if not length else max(SHORTEST, 1 << (int(length) - 1).bit_length())


AttentionInterface.register(NAME, attend)
