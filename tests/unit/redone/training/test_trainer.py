"""TRL's trainer over packed rows: its loss is the weighted one of the examples alone, and it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from rayapp.redone.corpus.source import Source
from rayapp.redone.recipe import Recipe
from rayapp.redone.training.packing import IGNORED, Piece, pack
from rayapp.redone.training.rows import learned_weight
from rayapp.redone.training.trainer import packed_trainer

PREFIX = (5, 6, 7)


def tiny(vocabulary: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        )
    )


def examples(count: int) -> list[Piece]:
    """The answer is the note's word and the one after it; two tokens are learned."""
    rng = np.random.default_rng(0)
    found = []
    for n in range(count):
        word = int(rng.integers(10, 30))
        ids = (word, 8, word, word + 1)
        found.append(Piece(PREFIX if n % 2 else (), ids, (IGNORED, IGNORED, *ids[2:]), 0.5 if n % 3 else 1.0))
    return found


def test_it_learns_and_its_loss_is_that_of_the_examples_alone(language_model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(language_model)
    recipe = Recipe("finetune", [Source("x", "task")], length=48, batch=2, lr=0.02, bf16=False, method="full")
    pieces = examples(160)
    rows = list(pack(pieces, recipe.length))
    model = tiny(64)
    before = 0.0
    for piece in pieces:
        ids = torch.tensor([[*piece.prefix, *piece.ids]])
        labels = torch.tensor([*[IGNORED] * len(piece.prefix), *piece.labels])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1]
        each = torch.nn.functional.cross_entropy(logits, labels[1:], ignore_index=IGNORED, reduction="sum")
        before += piece.weight * float(each)
    trainer = packed_trainer(recipe, model, tokenizer, rows=rows, held_out=rows, folder=tmp_path / "run", callbacks=[])
    # All rows together: the constant that rows are divided by is their mean, so this is the weighted mean.
    evaluated = trainer.evaluate()["eval_loss"]
    assert evaluated * learned_weight(rows) * len(rows) == pytest.approx(before, rel=1e-3)
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < 0.8 * evaluated
