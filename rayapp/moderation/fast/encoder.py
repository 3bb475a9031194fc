"""The sentence encoder with an adapter of its own for moderation, pooled into a logit a category.

LoRA (Hu et al. 2021) on the encoder that the catalogue uses: a megabyte beside the packaged model.
"""

# pyright: basic

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rayapp.content.settings import DEFAULT_ENCODER
from rayapp.content.text_encoder import encoder_path
from rayapp.moderation.as_read import as_read

ADAPTED_LAYERS = 6
RANK = 16
MAX_TOKENS = 64
WINDOW, STEP = 58, 42  # tokens; a piece that begins within a word may have a few more of its own
SENTENCES = re.compile(r"(?<=[.!?\u2026])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
SHORTEST = 12  # characters of a sentence that stands for itself; a shorter one goes with the next


class NoteEncoder(nn.Module):
    """Texts to logits [N, C]; mean and maximum over tokens, then one linear layer."""

    def __init__(self, categories: int, *, encoder: str = DEFAULT_ENCODER, dropout: float = 0.1) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        super().__init__()
        logging.disable_progress_bar()  # a second, not worth a bar
        path = encoder_path(encoder)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path)
        base: Any = AutoModel.from_pretrained(path, attn_implementation="sdpa")
        layers = base.config.num_hidden_layers
        adapter = LoraConfig(
            r=RANK,
            lora_alpha=2 * RANK,
            target_modules=["query", "key", "value", "dense"],
            layers_to_transform=list(range(layers - ADAPTED_LAYERS, layers)),
            layers_pattern="layer",
        )
        self.bert: Any = get_peft_model(base, adapter)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * base.config.hidden_size, categories)
        nn.init.zeros_(self.head.weight)

    def merge(self) -> None:
        """Put the adapter into the weights, for speed; nothing can be learned or saved any more."""
        self.bert = self.bert.merge_and_unload()

    def learned(self) -> dict[str, Tensor]:
        """What training changes: the adapter and the head."""
        return {name: p.detach().cpu().contiguous() for name, p in self.named_parameters() if p.requires_grad}

    def windows(self, text: str) -> list[str]:
        """All of a text in overlapping pieces that are read whole."""
        offsets = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        starts = range(0, max(1, len(offsets) - WINDOW + STEP), STEP) if offsets else ()
        return [text[offsets[n][0] : offsets[min(n + WINDOW, len(offsets)) - 1][1]] for n in starts]

    def tokens(self, texts: list[str]) -> list[list[int]]:
        found = self.tokenizer([as_read(text) for text in texts], truncation=True, max_length=MAX_TOKENS)
        return found["input_ids"]

    def forward(self, ids: list[list[int]]) -> Tensor:
        """[N, C]; `ids` with the tokenizer's marks."""
        longest = max(len(row) for row in ids)
        ids_NT = torch.zeros(len(ids), longest, dtype=torch.long)
        mask_NT = torch.zeros(len(ids), longest, dtype=torch.long)
        for n, row in enumerate(ids):
            ids_NT[n, : len(row)] = torch.tensor(row)
            mask_NT[n, : len(row)] = 1
        hidden_NTD = self.bert(input_ids=ids_NT, attention_mask=mask_NT).last_hidden_state
        mask_NT1 = mask_NT[:, :, None]
        mean_ND = (hidden_NTD * mask_NT1).sum(1) / mask_NT1.sum(1)
        most_ND = hidden_NTD.masked_fill(mask_NT1 == 0, -torch.inf).max(1).values
        return self.head(self.dropout(torch.cat([mean_ND, most_ND], 1)))

    def logits(self, texts: list[str], batch: int = 64) -> np.ndarray:
        """[N, C], float32; texts of like length together."""
        ids = self.tokens(texts)
        order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
        found = np.empty((len(texts), self.head.out_features), dtype=np.float32)
        self.eval()
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                rows = order[start : start + batch]
                found[rows] = self([ids[n] for n in rows]).numpy()
        return found


def sentences(text: str) -> list[str]:
    """Of a text with several; none is shorter than SHORTEST, but for the last."""
    found: list[str] = []
    for part in SENTENCES.split(text):
        if found and len(found[-1]) < SHORTEST:
            found[-1] = f"{found[-1]} {part.strip()}".strip()
        elif part.strip():
            found.append(part.strip())
    return found if len(found) > 1 else []
