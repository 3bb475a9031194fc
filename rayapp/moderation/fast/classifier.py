"""The fast classifier: an adapted sentence encoder and n-grams, their logits weighed a category and calibrated."""

# pyright: basic

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from rayapp.moderation.fast.encoder import NoteEncoder, sentences
from rayapp.moderation.fast.ngrams import ngram_rows

SUSPICIOUS = 0.05  # of a sentence by its n-grams: four in five harmful ones are, one in three others
WEIGHTS, SETTINGS = "fast.safetensors", "fast.json"


class Fusion(msgspec.Struct, frozen=True):
    """logit = encoder * its logit + ngrams * theirs + bias."""

    encoder: float
    ngrams: float
    bias: float


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is saved beside the weights. `unread`: the fusion of texts that the encoder cannot read. `made_by`: the
    command."""

    categories: tuple[str, ...]
    fusion: dict[str, Fusion]
    made_by: str
    unread: dict[str, Fusion] = {}


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

    def ngrams_alone(self, texts: list[str]) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-np.asarray(ngram_rows(texts) @ self.ngrams_FC + self.bias_C, np.float32)))

    def windows(self, texts: list[str]) -> list[list[str]]:
        """Pieces of each text that are judged each for itself: windows over all of it, and the sentences that look
        suspicious by their n-grams, which the ordinary text around them would outweigh."""
        found = [self.encoder.windows(text) for text in texts]
        each = [(n, sentence) for n, text in enumerate(texts) if found[n] for sentence in sentences(text)]
        if each:
            suspicious = self.ngrams_alone([sentence for _, sentence in each]).max(1) >= SUSPICIOUS
            for n, sentence in itertools.compress(each, suspicious):
                found[n].append(sentence)
        return found

    def probabilities(self, texts: list[str]) -> np.ndarray:
        return fused(*self.parts(texts), self.settings, unread(texts))

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


def fused(encoder_NC: np.ndarray, ngrams_NC: np.ndarray, settings: Settings, unread_N: np.ndarray) -> np.ndarray:
    """Probabilities [N, C]."""
    read = [settings.fusion[name] for name in settings.categories]
    other = [settings.unread.get(name, weights) for name, weights in zip(settings.categories, read, strict=True)]

    def of(field: str) -> np.ndarray:
        both = (np.array([getattr(one, field) for one in weights], np.float32) for weights in (other, read))
        return np.where(unread_N[:, None], *both)

    return 1.0 / (1.0 + np.exp(-(of("encoder") * encoder_NC + of("ngrams") * ngrams_NC + of("bias"))))


def unread(texts: list[str]) -> np.ndarray:
    """[N]: more than two Chinese characters, which the encoder knows one by one at best."""
    return np.array([sum("\u4e00" <= c <= "\u9fff" for c in text) > 2 for text in texts], dtype=bool)
