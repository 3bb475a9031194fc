"""Proxy models: tiny models trained on a mixture to estimate its loss (RegMix, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

LENGTH = 128
BATCH = 16
HELD_OUT = 32  # rows of each source


class TextPool:
    """Token rows of one source, [N, LENGTH]; the first HELD_OUT are held out."""

    def __init__(self, name: str, ids: Sequence[int]) -> None:
        whole = len(ids) // LENGTH
        self.name = name
        self.rows = torch.tensor(ids[: whole * LENGTH]).reshape(whole, LENGTH)

    @property
    def held_out(self) -> torch.Tensor:
        return self.rows[:HELD_OUT]

    @property
    def train(self) -> torch.Tensor:
        return self.rows[HELD_OUT:]


def proxy_losses(
    pools: Sequence[TextPool], shares: np.ndarray, *, vocabulary: int, steps: int, seed: int
) -> np.ndarray:
    """[D] held-out loss of each source, in nats per token, of a model trained from scratch on rows drawn by `shares`
    [D]."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    settings = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=True,
        max_position_embeddings=LENGTH,
    )
    model = LlamaForCausalLM(settings)
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        which = rng.choice(len(pools), size=BATCH, p=shares)
        batch = torch.stack([pools[n].train[int(rng.integers(len(pools[n].train)))] for n in which])
        loss = model(input_ids=batch, labels=batch).loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        return np.array([float(model(input_ids=p.held_out, labels=p.held_out).loss) for p in pools])
