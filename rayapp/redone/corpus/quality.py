"""Quality filter by the perplexity of a small language model: the most surprising and the most predictable texts go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from rayapp.section import Share

MAX_TOKENS = 256


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of a source's texts to remove: `odd` of the highest perplexity, `empty` of the lowest."""

    odd: Share = 0.05
    empty: Share = 0.02


def mean_losses(model: Any, tokenizer: Any, texts: Sequence[str], batch: int = 16) -> np.ndarray:
    """[N] mean negative log-likelihood, in nats per token, of the first MAX_TOKENS tokens of each text."""
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    text_losses = np.zeros(len(texts))
    tokenizer.padding_side = "right"
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        tokens = tokenizer(
            [texts[n] for n in rows], return_tensors="pt", padding=True, truncation=True, max_length=MAX_TOKENS
        )
        with torch.no_grad():
            logits = model(**tokens).logits[:, :-1].float()
        wanted = tokens["input_ids"][:, 1:]
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
        mask = tokens["attention_mask"][:, 1:]
        text_losses[rows] = ((each.view_as(mask) * mask).sum(1) / mask.sum(1).clamp(min=1)).numpy()
    return text_losses


def keep(text_losses: np.ndarray, settings: Quality) -> np.ndarray:
    """bool [N]: which texts of a source to keep, by their losses [N]."""
    if not len(text_losses):
        return np.zeros(0, dtype=bool)
    low, high = np.quantile(text_losses, [settings.empty, 1 - settings.odd])
    return (text_losses >= low) & (text_losses <= high)
