"""Sequence packing with block-diagonal attention and shared prefixes.

A row is a list of groups; a group is a prefix and members that continue it. A
member attends to its group's prefix and to itself, at the positions it would have
unpacked, so every loss and gradient is unchanged (no cross-contamination: Krell et
al. 2021). Moderation prompts share 200 tokens of policy; as members of one group
six times as many notes fit into a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

IGNORED = -100


class Piece(NamedTuple):
    """One example. `ids` continue `prefix`; `labels` [len(ids)] are the ids to predict, IGNORED elsewhere.

    The first id is never a label, because its predecessor in a row is another example. `weight`: loss weight of each
    label. `open`: tokens for which the labels are no evidence; they are excluded from the softmax.
    """

    prefix: tuple[int, ...]
    ids: tuple[int, ...]
    labels: tuple[int, ...]
    weight: float = 1.0
    open: tuple[int, ...] = ()


class PackedRow(NamedTuple):
    """All [length]. `groups` and `members` define the attention mask; member 0 is the group's prefix.

    `open` [N, 2]: (position of a label, token excluded from its softmax), positions ascending.
    """

    ids: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    positions: np.ndarray
    groups: np.ndarray
    members: np.ndarray
    open: np.ndarray


def pack(pieces: Iterable[Piece], length: int, window: int = 2048) -> Iterator[PackedRow]:
    """Rows of at most `length` tokens: best-fit decreasing within each `window` of pieces.

    A piece longer than a row is truncated. Raises ValueError if a prefix leaves no room for its members.
    """
    held: list[Piece] = []
    for piece in pieces:
        if len(piece.prefix) + 8 > length:
            raise ValueError(
                f"a prefix of {len(piece.prefix)} tokens leaves no room in rows of {length}; use longer rows"
            )
        held.append(piece)
        if len(held) == window:
            yield from _packed(held, length)
            held = []
    yield from _packed(held, length)


def _packed(pieces: Sequence[Piece], length: int) -> Iterator[PackedRow]:
    bins: list[dict[tuple[int, ...], list[Piece]]] = []
    room: list[int] = []
    for piece in sorted(pieces, key=lambda p: -len(p.ids)):
        cut = length - len(piece.prefix)
        if len(piece.ids) > cut:
            piece = piece._replace(ids=piece.ids[:cut], labels=piece.labels[:cut])
        best, left = -1, length
        for n, free in enumerate(room):
            # A piece without a prefix forms its own group.
            shared = bool(piece.prefix) and piece.prefix in bins[n]
            after = free - len(piece.ids) - (0 if shared else len(piece.prefix))
            # Prefer rows that have the prefix already, then the fullest.
            if after >= 0 and after - (length if shared else 0) < left:
                best, left = n, after - (length if shared else 0)
        if best < 0:
            bins.append({})
            room.append(length)
            best = len(bins) - 1
        shared = bool(piece.prefix) and piece.prefix in bins[best]
        room[best] -= len(piece.ids) + (0 if shared else len(piece.prefix))
        bins[best].setdefault(piece.prefix, []).append(piece)
    yield from (_row(groups) for groups in bins)


def _row(groups: dict[tuple[int, ...], list[Piece]]) -> PackedRow:
    parts: list[tuple[Sequence[int], Sequence[int], float, int, int, int]] = []
    open_: list[tuple[int, int]] = []
    group = place = 0
    for prefix, pieces in groups.items():
        if prefix:
            parts.append((prefix, [IGNORED] * len(prefix), 0.0, 0, group, 0))
            place += len(prefix)
        for member, piece in enumerate(pieces, 1):
            labels = (IGNORED, *piece.labels[1:])
            parts.append((piece.ids, labels, piece.weight, len(prefix), group, member))
            learned = [place + n for n, label in enumerate(labels) if label != IGNORED]
            open_ += [(at, token) for at in learned for token in piece.open]
            place += len(piece.ids)
            if not prefix:
                group += 1
        group += 1
    return PackedRow(
        np.concatenate([np.asarray(ids, dtype=np.int64) for ids, *_ in parts]),
        np.concatenate([np.asarray(labels, dtype=np.int64) for _, labels, *_ in parts]),
        np.concatenate([np.full(len(p[0]), p[2], dtype=np.float32) for p in parts]),
        np.concatenate([np.arange(p[3], p[3] + len(p[0]), dtype=np.int64) for p in parts]),
        np.concatenate([np.full(len(p[0]), p[4], dtype=np.int64) for p in parts]),
        np.concatenate([np.full(len(p[0]), p[5], dtype=np.int64) for p in parts]),
        np.asarray(open_, dtype=np.int64).reshape(-1, 2),
    )
