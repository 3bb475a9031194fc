"""Texts to vectors by a decoder language model that a learned special token asks (RED-Rec, section 3.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

MAX_TOKENS = 128
SPECIAL = "special_token.safetensors"


class DecoderTower(nn.Module):
    """The last hidden state at a special token after the text.

    Positions are shifted so that the special token stands at the same rotary position after every text: it learns one
    way of asking. Until it is learned, the token is the end of text.
    """

    def __init__(self, decoder: nn.Module, special: Tensor, positions: int) -> None:
        """`decoder`: a Hugging Face base model; `special`: [H]; `positions`: the special token's place."""
        super().__init__()
        self.decoder = decoder
        self.special = nn.Parameter(special.detach().clone())
        self.positions = positions

    def forward(self, tokens_NT: Tensor, lengths_N: Tensor) -> Tensor:
        """[N, T] padded at the end, and their lengths, to [N, H]; T is at most `positions`."""
        N, T = tokens_NT.shape
        place_T = torch.arange(T + 1, device=tokens_NT.device)
        embedded = self.decoder.get_input_embeddings()(tokens_NT)  # type: ignore[operator]
        embedded = F.pad(embedded, (0, 0, 0, 1))
        at_special = place_T == lengths_N[:, None]
        embedded = torch.where(at_special[..., None], self.special.to(embedded.dtype), embedded)
        hidden = self.decoder(
            inputs_embeds=embedded,
            attention_mask=(place_T <= lengths_N[:, None]).long(),
            position_ids=(place_T + self.positions - lengths_N[:, None]).clamp(min=0, max=self.positions),
            use_cache=False,
        ).last_hidden_state
        return hidden[torch.arange(N, device=hidden.device), lengths_N]

    def save(self, folder: Path) -> None:
        save_file({"special": self.special.detach().float().contiguous()}, folder / SPECIAL)


def token_table(tokenizer: Any, texts: list[str], max_tokens: int) -> tuple[Tensor, Tensor]:
    """[N, T] padded at the end, and lengths [N]; an empty text has no token of its own."""
    rows = [tokenizer.encode(text, add_special_tokens=False)[:max_tokens] for text in texts]
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.zeros(len(rows), max(1, int(lengths.max())), dtype=torch.long)
    for n, row in enumerate(rows):
        padded[n, : len(row)] = torch.tensor(row, dtype=torch.long)
    return padded, lengths


class DecoderEncoder:
    """Texts to L2-normalised float32 vectors [N, dim], by a folder or a Hugging Face id.

    A folder with `special_token.safetensors` has a token that was learned.
    """

    def __init__(self, folder: str, max_tokens: int = MAX_TOKENS) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        decoder = AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
        learned = Path(folder) / SPECIAL
        if learned.is_file():
            special = load_file(learned)["special"]
        else:
            special = decoder.get_input_embeddings().weight[self.tokenizer.eos_token_id]
        self.tower = DecoderTower(decoder, special.float(), max_tokens).to(self.device).eval()
        self.max_tokens = max_tokens
        self.dim = int(decoder.config.hidden_size)

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        return token_table(self.tokenizer, texts, self.max_tokens)

    def encode(self, texts: list[str], batch_size: int = 32) -> np.ndarray:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                tokens, lengths = self.tokens(texts[start : start + batch_size])
                hidden = self.tower(tokens.to(self.device), lengths.to(self.device))
                found.append(F.normalize(hidden.float(), dim=-1).cpu())
        return torch.cat(found).numpy()
