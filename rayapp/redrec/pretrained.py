"""Language models inside the towers: a decoder from its folder, frozen, with LoRA or learned in full."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rayapp.redrec.layout import GAP_BUCKETS, Layout
from rayapp.redrec.user_tower import what_is_seen

Learning = Literal["frozen", "lora", "full"]


def decoder_of(folder: str, learning: Learning, rank: int = 16, checkpointing: bool = False) -> nn.Module:
    """The base model (no head) of a folder or a Hugging Face id; LoRA on every linear layer.

    `checkpointing`: activations are computed again in the backward pass, which takes a third longer and a fraction of
    the memory.
    """
    from transformers import AutoModel

    decoder: nn.Module = AutoModel.from_pretrained(folder, dtype=torch.float32)
    if checkpointing:
        decoder.gradient_checkpointing_enable()
    if learning == "full":
        return decoder
    decoder.requires_grad_(False)
    if learning == "frozen":
        return decoder
    from peft import LoraConfig, get_peft_model

    return get_peft_model(decoder, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


class PretrainedTower(nn.Module):
    """A user tower that reads item vectors as a language model reads words (RED-Rec, section 3.3).

    The same contract as `UserTower`: item tokens attend to earlier ones, queries to themselves and to the items before
    their cut. Ranks are the model's own positions; gap, action and scenario are embeddings beside the item vector.
    """

    def __init__(self, decoder: nn.Module, dim: int, scenarios: int, actions: int, interests: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.interests = interests
        self.width = width = int(decoder.config.hidden_size)  # type: ignore[union-attr,arg-type]
        self.input = nn.Linear(dim, width)
        self.begin = nn.Parameter(torch.randn(width) * 0.02)
        self.scenario = nn.Embedding(scenarios + 1, width)
        self.action = nn.Embedding(actions + 1, width)
        self.gap = nn.Embedding(GAP_BUCKETS, width)
        for table in (self.scenario, self.action, self.gap):
            nn.init.normal_(table.weight, std=0.02)
        self.queries = nn.Parameter(torch.randn(scenarios + 1, interests, width) * 0.02)

    def forward(
        self,
        vectors_BLD: Tensor,
        scenarios_BL: Tensor,
        actions_BL: Tensor,
        seconds_BL: Tensor,
        cut_BC: Tensor,
        cut_scenario_BC: Tensor,
        cut_seconds_BC: Tensor,
        told: Layout,
    ) -> Tensor:
        """Hidden states [B, C, K, width] of the K queries of cut_scenario at each cut."""
        B, _, _ = vectors_BLD.shape
        C, K = cut_BC.shape[1], self.interests
        x = self.input(vectors_BLD)
        x = x + self.scenario(told.scenario_BL) + self.action(actions_BL) + self.gap(told.gap_BL)
        queries = self.queries[cut_scenario_BC].flatten(1, 2)
        tokens = torch.cat((queries, self.begin.expand(B, 1, -1), x), dim=1)
        rows = what_is_seen(cut_BC, cut_scenario_BC, cut_seconds_BC, scenarios_BL, seconds_BL, K)
        itself = torch.eye(C * K, dtype=torch.bool, device=rows.device).expand(B, -1, -1)
        columns = torch.cat((itself, torch.zeros_like(rows[:, C * K :, :1]).expand(-1, -1, C * K)), dim=1)
        seen = torch.cat((columns, rows), dim=2)
        bias = torch.zeros(seen.shape, dtype=tokens.dtype, device=tokens.device).masked_fill_(
            ~seen, torch.finfo(tokens.dtype).min
        )
        places = torch.cat((told.query_rank_BC.repeat_interleave(K, dim=1), F.pad(told.rank_BL, (1, 0))), dim=1)
        hidden = self.decoder(
            inputs_embeds=tokens, attention_mask=bias[:, None], position_ids=places, use_cache=False
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
