"""Packed rows: every piece once, within the length, seeing its prefix and itself alone; and a model agrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from rayapp.redone.training.packing import IGNORED, Piece, pack, visible

LENGTH = 24
tokens = st.lists(st.integers(1, 30), min_size=1, max_size=12).map(tuple)
prefixes = st.sampled_from([(), (31, 32, 33), (34, 35)])


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    ids = draw(tokens)
    learned = draw(st.integers(0, len(ids) - 1))
    return Piece(draw(prefixes), ids, (*[IGNORED] * learned, *ids[learned:]), draw(st.sampled_from([1.0, 0.5])))


@given(st.lists(pieces(), max_size=30), st.integers(1, 40))
def test_every_piece_is_there_once_as_if_it_were_alone(found: list[Piece], window: int) -> None:
    rows = list(pack(found, LENGTH, window))
    alone = []
    for row in rows:
        assert len(row.ids) <= LENGTH
        assert len({len(column) for column in row}) == 1
        sees = visible(row.groups, row.members)
        for group in np.unique(row.groups):
            for member in np.unique(row.members[row.groups == group]):
                if member == 0:
                    continue
                own = np.flatnonzero((row.groups == group) & (row.members == member))
                whole = np.flatnonzero(sees[own[-1]])
                assert (row.positions[whole] == np.arange(len(whole))).all()
                assert all(set(np.flatnonzero(sees[place])) == set(whole[whole <= place]) for place in own)
                alone.append((tuple(row.ids[whole]), tuple(row.labels[own]), float(row.weights[own[0]])))
    assert sorted(alone) == sorted((p.prefix + p.ids, (IGNORED, *p.labels[1:]), p.weight) for p in found)


def test_a_shared_prefix_stands_there_once() -> None:
    found = [Piece((1, 2, 3, 4), (5, n), (IGNORED, n)) for n in range(8)]
    rows = list(pack(found, LENGTH))
    assert len(rows) == 1
    assert len(rows[0].ids) == 4 + 16


def test_what_does_not_fit_is_cut_or_refused() -> None:
    (row,) = pack([Piece((1,), tuple(range(2, 60)), tuple(range(2, 60)))], LENGTH)
    assert len(row.ids) == LENGTH
    with pytest.raises(ValueError, match="a prefix of 20 tokens leaves no room in rows of 24"):
        list(pack([Piece(tuple(range(20)), (1,), (1,))], LENGTH))


def test_a_model_says_the_same_packed_and_alone() -> None:
    torch.manual_seed(0)
    settings = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
    )
    model = LlamaForCausalLM(settings).eval()
    rng = np.random.default_rng(0)
    found = [
        Piece(prefix, tuple(rng.integers(1, 60, size=size).tolist()), (0,) * size)
        for prefix, size in [((61, 62, 63), 4), ((), 7), ((61, 62, 63), 3), ((), 2)]
    ]
    (row,) = pack(found, LENGTH)
    mask = torch.from_numpy(visible(row.groups, row.members))[None, None]
    ids, positions = torch.from_numpy(row.ids)[None], torch.from_numpy(row.positions)[None]
    with torch.no_grad():
        packed = model(input_ids=ids, position_ids=positions, attention_mask=mask).logits[0]
        for piece in found:
            alone = model(input_ids=torch.tensor([[*piece.prefix, *piece.ids]])).logits[0, len(piece.prefix) :]
            text = torch.tensor(piece.ids)
            starts = [n for n in range(len(row.ids)) if torch.equal(ids[0, n : n + len(text)], text)]
            assert any(torch.allclose(packed[n : n + len(text)], alone, atol=1e-5) for n in starts)
