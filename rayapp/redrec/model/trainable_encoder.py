"""A decoder that encodes items and is trained with the towers: the item tower end to end (RED-Rec, section 3.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from rayapp.content.decoder_encoder import MAX_TOKENS, SPECIAL, DecoderTower, token_table
from rayapp.redrec.model.pretrained import Learning, decoder_of


class TrainableEncoder(nn.Module):
    """The I items' texts as tokens, and the tower that encodes them; row I is padding, an empty text."""

    tokens: Tensor
    lengths: Tensor

    def __init__(
        self,
        folder: str,
        texts: list[str],
        learning: Learning,
        *,
        rank: int = 16,
        checkpointing: bool = False,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        from transformers import AutoTokenizer

        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        decoder = decoder_of(folder, learning, rank, checkpointing)
        learned = Path(folder) / SPECIAL
        if learned.is_file():
            special = load_file(learned)["special"]
        else:
            special = decoder.get_input_embeddings().weight[self.tokenizer.eos_token_id]  # type: ignore[operator]
        self.tower = DecoderTower(decoder, special.float(), max_tokens)
        tokens, lengths = token_table(self.tokenizer, [*texts, ""], max_tokens)
        self.register_buffer("tokens", tokens, persistent=False)
        self.register_buffer("lengths", lengths, persistent=False)

    def forward(self, rows_N: Tensor) -> Tensor:
        """Content vectors [N, H] of these rows, L2-normalised."""
        lengths = self.lengths[rows_N]
        longest = max(1, int(lengths.max()))
        return F.normalize(self.tower(self.tokens[rows_N, :longest], lengths).float(), dim=-1)

    @torch.no_grad()
    def everything(self, batch: int = 256) -> Tensor:
        """[I + 1, H], the last row zero; texts of similar length in a batch."""
        order = self.lengths[:-1].argsort()
        parts = [self(rows) for rows in order.split(batch)]
        vectors = torch.zeros(len(self.lengths), parts[0].shape[1], device=parts[0].device)
        vectors[order] = torch.cat(parts)
        return vectors

    def save(self, folder: Path) -> None:
        """Write a folder for the encoder `decoder:FOLDER`: LoRA merged, with the special token."""
        decoder: Any = self.tower.decoder
        whole = decoder.merge_and_unload() if hasattr(decoder, "merge_and_unload") else decoder
        folder.mkdir(parents=True, exist_ok=True)
        whole.to(torch.bfloat16).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.tower.save(folder)
