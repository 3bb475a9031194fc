"""Language models as towers: the same contract as the tower from scratch, and learning in three ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from rayapp.content.decoder_encoder import DecoderEncoder
from rayapp.data.vocabulary import Vocabulary
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.artifact import load_user_side, model_description, save_user_side
from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.pretrained import Learning, learned_state
from rayapp.redrec.model.redrec import ModelConfig, RedRec, UserSide
from rayapp.redrec.model.trainable_encoder import TrainableEncoder

VOCABULARY = Vocabulary(("feed", "ads"), ("click",))
TEXTS = ["red scarf", "blue scarf", "red teapot", "blue teapot warm", "green", "warm red scarf"]
WORDS = ["[END]", *sorted({word for text in TEXTS for word in text.split()})]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny decoder with a tokenizer, as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("decoder")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=128, eos_token_id=0,
    )  # fmt: skip
    LlamaModel(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[END]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="[END]").save_pretrained(folder)
    return str(folder)


def batch(events: int = 5, later: int = 0) -> Batch:
    """Two users of `events` events; one cut after the third; `later` changes what comes after it."""
    rank = torch.arange(events).expand(2, -1)
    items = (rank + torch.tensor([[0], [1]]) + later * (rank >= 3)) % 6
    scenarios = 1 + rank % 2
    cut = torch.full((2, 1), 3)
    return Batch(
        items, scenarios, torch.ones_like(items), rank * 60, cut, torch.ones_like(cut), torch.full((2, 1), 10**9),
        torch.tensor([[[3]], [[4]]]), torch.ones(2, 1, 1, dtype=torch.bool),
    )  # fmt: skip


def settings(decoder: str, learning: Learning, **more: object) -> ModelConfig:
    return ModelConfig(dim=8, interests=2, length=8, dropout=0.0, user_model=decoder, user_learning=learning, **more)


def test_a_language_model_reads_no_event_past_the_cut(decoder: str) -> None:
    torch.manual_seed(0)
    user = UserSide(settings(decoder, "lora"), VOCABULARY).eval()
    vectors = torch.randn(6, 8)
    with torch.inference_mode():
        one, other = (user(b, vectors[b.items_BL]) for b in (batch(), batch(later=2)))
        shorter = batch(3)
        cut_off = user(shorter, vectors[shorter.items_BL])
        seen = batch()
        changed = user(seen, vectors[seen.items_BL] + torch.tensor([0.0, 1, 0, 0, 0])[None, :, None])
    assert one.shape == (2, 1, 2, 8)
    assert torch.allclose(one, other, atol=1e-5)
    assert torch.allclose(one, cut_off, atol=1e-5)
    assert not torch.allclose(one, changed, atol=1e-3)


@pytest.mark.parametrize("learning", ["frozen", "lora", "full"])
def test_what_learns_is_what_is_kept(decoder: str, learning: Learning, tmp_path: Path) -> None:
    model = RedRec(settings(decoder, learning), VOCABULARY, torch.randn(7, 4))
    sampler = NegativeSampler({1: np.arange(6), 2: np.arange(6)}, np.ones(6), uniform=6, in_batch=0, seed=0)
    before = {name: value.clone() for name, value in model.user.state_dict().items()}
    rows = batch()
    model(rows, sampler.draw([1], rows.targets_BCW.flatten())).mean.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    moved = {n for n, value in model.user.state_dict().items() if not torch.equal(value, before[n])}
    inside = {name for name in moved if name.startswith("tower.decoder")}
    assert any("lora" in name for name in inside) == (learning == "lora")
    assert bool(inside) == (learning != "frozen")
    assert moved <= learned_state(model.user).keys()
    if learning != "full":
        assert not any("embed_tokens" in name for name in learned_state(model.user))
    save_user_side(tmp_path, model.user)
    again = load_user_side(tmp_path, model_description(model, "any"))
    vectors = torch.randn(6, 8)[rows.items_BL]
    with torch.inference_mode():
        assert torch.allclose(again(rows, vectors), model.user.eval()(rows, vectors), atol=1e-6)


def test_an_encoder_learns_to_tell_items_apart_and_serves_as_a_folder(decoder: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig(dim=8, width=16, layers=1, interests=1, length=8, dropout=0.0, use_ids=False)
    reader = TrainableEncoder(decoder, TEXTS, "lora")
    model = RedRec(config, VOCABULARY, torch.zeros(7, 16), reader)
    sampler = NegativeSampler({1: np.arange(6)}, np.ones(6), uniform=6, in_batch=0, seed=0)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    rows, losses = batch(), []
    for _ in range(30):
        model.train()
        loss = model(rows, sampler.draw([1], rows.targets_BCW.flatten())).mean
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert reader.tower.special.grad is not None
    model.read_items()
    assert model.content.shape == (7, 16)
    assert not model.content[-1].any()
    with torch.inference_mode():
        one = model.item_vectors(torch.tensor([3]))
        model.train()
        assert torch.allclose(model.item_vectors(torch.tensor([3])), one, atol=1e-4)
    reader.save(tmp_path / "encoder")
    served = DecoderEncoder(str(tmp_path / "encoder")).encode(TEXTS)
    assert np.abs(served - model.content[:-1].numpy()).max() < 0.05  # bfloat16
    assert (served * model.content[:-1].numpy()).sum(1).min() > 0.999
