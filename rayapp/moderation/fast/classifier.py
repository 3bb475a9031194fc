"""The fast classifier: an adapted sentence encoder and n-grams, their logits weighed a category and calibrated."""

# pyright: basic

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from rayapp.moderation.fast.encoder import NoteEncoder
from rayapp.moderation.fast.ngrams import ngram_rows

WEIGHTS, SETTINGS = "fast.safetensors", "fast.json"


class Fusion(msgspec.Struct, frozen=True):
    """logit = encoder * its logit + ngrams * theirs + bias."""

    encoder: float
    ngrams: float
    bias: float


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is saved beside the weights. `made_by`: the command."""

    categories: tuple[str, ...]
    fusion: dict[str, Fusion]
    made_by: str


class FastClassifier:
    """Texts to probabilities [N, C], each category for itself."""

    def __init__(self, encoder: NoteEncoder, ngrams_FC: np.ndarray, bias_C: np.ndarray, settings: Settings) -> None:
        self.encoder = encoder
        self.ngrams_FC = ngrams_FC.astype(np.float32)
        self.bias_C = bias_C
        self.settings = settings

    def parts(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Logits [N, C] of the encoder and of the n-grams."""
        return self.encoder.logits(texts), np.asarray(ngram_rows(texts) @ self.ngrams_FC + self.bias_C, np.float32)

    def probabilities(self, texts: list[str]) -> np.ndarray:
        return fused(*self.parts(texts), self.settings)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.half().contiguous() for name, tensor in self.encoder.learned().items()}
        tensors["ngrams"] = torch.from_numpy(self.ngrams_FC).half()
        tensors["ngrams.bias"] = torch.from_numpy(self.bias_C.astype(np.float32))
        save_file(tensors, folder / WEIGHTS)
        (folder / SETTINGS).write_bytes(msgspec.json.format(msgspec.json.encode(self.settings), indent=1) + b"\n")

    @classmethod
    def load(cls, folder: Path) -> FastClassifier:
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Settings)
        tensors = load_file(folder / WEIGHTS)
        ngrams, bias = tensors.pop("ngrams").numpy(), tensors.pop("ngrams.bias").numpy()
        encoder = NoteEncoder(len(settings.categories))
        encoder.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
        return cls(encoder.eval(), ngrams, bias, settings)

    @property
    def version(self) -> str:
        """Changes with anything that changes a probability."""
        digest = hashlib.sha256(msgspec.json.encode(self.settings))
        digest.update(self.ngrams_FC.astype(np.float16).tobytes())
        for name, tensor in sorted(self.encoder.learned().items()):
            digest.update(name.encode() + tensor.half().numpy().tobytes())
        return digest.hexdigest()[:8]


def fused(encoder_NC: np.ndarray, ngrams_NC: np.ndarray, settings: Settings) -> np.ndarray:
    """Probabilities [N, C]."""
    weights = [settings.fusion[name] for name in settings.categories]
    a, b, c = (
        np.array([getattr(one, field) for one in weights], np.float32) for field in ("encoder", "ngrams", "bias")
    )
    return 1.0 / (1.0 + np.exp(-(a * encoder_NC + b * ngrams_NC + c)))
