"""Language models inside the towers: a decoder from its folder, frozen, with LoRA or learned in full."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from rayapp.redrec.model.batch import Batch
from rayapp.redrec.model.temporal_encoding import TemporalEncoding
from rayapp.redrec.model.user_tower import EventTokens

Learning = Literal["frozen", "lora", "full"]


def decoder_of(folder: str, learning: Learning, rank: int = 16, checkpointing: bool = False) -> nn.Module:
    """The base model (no head) of a folder or a Hugging Face id; LoRA on every linear layer.

    `checkpointing`: activations are computed again in the backward pass, which takes a third longer and a fraction of
    the memory.
    """
    from transformers import AutoModel

    decoder: Any = AutoModel.from_pretrained(folder, dtype=torch.float32)
    if checkpointing:
        decoder.gradient_checkpointing_enable()
    if learning == "full":
        return decoder
    decoder.requires_grad_(False)
    if learning == "frozen":
        return decoder
    from peft import LoraConfig, get_peft_model

    return get_peft_model(decoder, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


class PretrainedTower(EventTokens):
    """A user tower that reads item vectors as a language model reads words (RED-Rec, section 3.3).

    The same contract as `UserTower`: item tokens attend to earlier ones, queries to themselves and to the items before
    their cut. Ranks are the model's own positions; gap, action and scenario are embeddings beside the item vector.
    """

    def __init__(self, decoder: nn.Module, dim: int, *, scenarios: int, actions: int, interests: int) -> None:
        width = int(decoder.config.hidden_size)  # type: ignore[union-attr,arg-type]
        super().__init__(dim, width, scenarios=scenarios, actions=actions, interests=interests, query_std=0.02)
        self.decoder = decoder

    def forward(self, vectors_BLD: Tensor, batch: Batch, encoding: TemporalEncoding) -> Tensor:
        """Hidden states [B, C, K, width] of the K queries of cut_scenario at each cut."""
        C, K = batch.cut_BC.shape[1], self.interests
        tokens, rows = self.tokens(vectors_BLD, batch, encoding), self.seen(batch)
        B, T, _ = rows.shape
        columns = torch.zeros(B, T, C * K, dtype=torch.bool, device=rows.device)
        columns[:, torch.arange(C * K), torch.arange(C * K)] = True  # a query reads no other query
        seen = torch.cat((columns, rows), dim=2)
        bias = torch.zeros(seen.shape, dtype=tokens.dtype, device=tokens.device)
        bias = bias.masked_fill_(~seen, torch.finfo(tokens.dtype).min)
        hidden = self.decoder(
            inputs_embeds=tokens, attention_mask=bias[:, None], position_ids=self.places(encoding), use_cache=False
        ).last_hidden_state
        return hidden[:, : C * K].unflatten(1, (C, K))


def learned_state(module: nn.Module) -> dict[str, Tensor]:
    """The state without frozen parameters: these come from their own folder again."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def load_learned(module: nn.Module, state: dict[str, Tensor]) -> None:
    """What `learned_state` gave. Raises RuntimeError where the state is of another model."""
    missing, unexpected = module.load_state_dict(state, strict=False)
    lost = set(missing) & learned_state(module).keys()
    if lost or unexpected:
        raise RuntimeError(f"the state is of another model: it lacks {sorted(lost)[:3]}, has {unexpected[:3]}")
