"""Packed rows: every piece once, within the length, seeing its prefix and itself alone; and a model agrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from rayapp.redone.training.packing import IGNORED, PackedRow, Piece, pack
from rayapp.redone.training.prefix_attention import NAME, SHORTEST, layout_of
from rayapp.redone.training.rows import as_dataset, collated, token_losses

LENGTH = 24
tokens = st.lists(st.integers(1, 30), min_size=1, max_size=12).map(tuple)
prefixes = st.sampled_from([(), (31, 32, 33), (34, 35)])


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    ids = draw(tokens)
    learned = draw(st.integers(0, len(ids) - 1))
    return Piece(draw(prefixes), ids, (*[IGNORED] * learned, *ids[learned:]), draw(st.sampled_from([1.0, 0.5])))


def visible(row: PackedRow) -> np.ndarray:
    """[L, L] bool: whether one position may attend to another. What it means to share a prefix, spelt out."""
    same = row.groups[:, None] == row.groups[None, :]
    own = (row.members[:, None] == row.members[None, :]) | (row.members[None, :] == 0)
    return same & own & np.tri(len(row.ids), dtype=bool)


@given(st.lists(pieces(), max_size=30), st.integers(1, 40))
def test_every_piece_is_there_once_as_if_it_were_alone(found: list[Piece], window: int) -> None:
    rows = list(pack(found, LENGTH, window))
    alone = []
    for row in rows:
        assert len(row.ids) <= LENGTH
        assert len({len(column) for column in row[:-1]}) == 1
        sees = visible(row)
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


@given(st.lists(pieces(), min_size=1, max_size=30))
def test_the_layout_lets_each_place_see_what_it_may(found: list[Piece]) -> None:
    (*_, row) = pack(found, LENGTH)
    laid = layout_of(row.groups, row.members)
    sees = np.zeros((len(row.ids), len(row.ids)), dtype=int)
    placed = []
    for own, seen, hidden in laid.buckets:
        for places, others, not_these in zip(own.tolist(), seen.tolist(), hidden.numpy(), strict=True):
            placed += [
                (place, [o for o, no in zip(others, line, strict=True) if not no])
                for place, line in zip(places, not_these, strict=True)
            ]
    for place, at in enumerate(laid.back.tolist()):
        own_place, others = placed[at]
        assert own_place == place
        np.add.at(sees[place], others, 1)
    assert (sees == visible(row)).all()


@pytest.mark.parametrize("key_heads", [4, 2])
def test_a_model_says_and_learns_the_same_packed_and_alone(key_heads: int) -> None:
    torch.manual_seed(0)
    settings = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=key_heads,
    )
    model = LlamaForCausalLM(settings)
    rng = np.random.default_rng(0)
    sizes = [((61, 62, 63), 4), ((), 7), ((61, 62, 63), 3), ((), 2), ((), SHORTEST + 5), ((61, 62), 9)]
    notes = [(prefix, tuple(rng.integers(1, 60, size=size).tolist())) for prefix, size in sizes]
    opened = [(), (60,), (0, 60), (), (61, 62, 63), ()]
    found = [Piece(prefix, ids, ids, open=own) for (prefix, ids), own in zip(notes, opened, strict=True)]

    lost = 0.0
    for piece in found:
        ids = torch.tensor([[*piece.prefix, *piece.ids]])
        own = model(input_ids=ids).logits[0, len(piece.prefix) :]
        open_to_it = torch.zeros(64).index_fill(0, torch.tensor(piece.open, dtype=torch.long), float("-inf"))
        loss = torch.nn.functional.cross_entropy(
            own[:-1] + open_to_it, ids[0, len(piece.prefix) + 1 :], reduction="sum"
        )
        loss.backward()
        lost += loss.item()
    wanted = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    model.set_attn_implementation(NAME)
    rows = as_dataset(list(pack(found, 48)))
    assert len(rows) > 1
    batch = collated([rows[n] for n in range(len(rows))])
    labels, open_, _, _ = (batch.pop(name) for name in ("labels", "open", "weights", "rows"))
    places = (labels[0, 1:] != IGNORED).nonzero().squeeze(1)
    loss = token_losses(model(**batch, use_cache=False).logits[0, places], labels[0, 1:], places, open_).sum()
    loss.backward()
    assert loss.item() == pytest.approx(lost, rel=1e-5)
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            assert torch.allclose(weight.grad, wanted[name], atol=1e-4), name
