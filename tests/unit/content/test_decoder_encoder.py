"""A decoder's special token reads the text before it, wherever it stands and whatever is beside it."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaModel

from rayapp.content.decoder_encoder import DecoderTower


def tower(positions: int = 12) -> DecoderTower:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64,
    )  # fmt: skip
    return DecoderTower(LlamaModel(config), torch.randn(16), positions).eval()


def test_padding_and_company_change_nothing() -> None:
    one = tower()
    alone = one(torch.tensor([[3, 4, 5]]), torch.tensor([3]))
    together = one(torch.tensor([[3, 4, 5, 9, 9], [7, 8, 9, 10, 11]]), torch.tensor([3, 5]))
    assert torch.allclose(alone[0], together[0], atol=1e-5)
    empty = one(torch.tensor([[0], [1]]), torch.tensor([0, 0]))
    assert torch.allclose(empty[0], empty[1])  # a text without tokens is the special token alone


def test_the_special_token_stands_at_one_place_and_reads_everything() -> None:
    one = tower()
    asked: list[torch.Tensor] = []
    forward = one.decoder.forward

    def watch(**given: torch.Tensor) -> object:
        asked.append(given["position_ids"])
        return forward(**given)

    one.decoder.forward = watch
    tokens, lengths = torch.tensor([[3, 4, 0, 0], [3, 4, 5, 6]]), torch.tensor([2, 4])
    hidden = one(tokens, lengths)
    assert asked[0].tolist()[0][:3] == [10, 11, 12]
    assert asked[0].tolist()[1] == [8, 9, 10, 11, 12]
    tokens[1, 0] = 9
    assert not torch.allclose(one(tokens, lengths)[1], hidden[1])


def test_the_token_learns_and_the_decoder_may_stay() -> None:
    one = tower()
    one.decoder.requires_grad_(False)
    one(torch.tensor([[3, 4]]), torch.tensor([2])).sum().backward()
    assert one.special.grad is not None
    assert one.special.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in one.decoder.parameters())
