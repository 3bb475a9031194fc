"""The fast stage: all of a note, in windows of the classifier's length, the strictest of each category."""

# pyright: basic

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import numpy as np

from rayapp.errors import UserError
from rayapp.moderation.as_read import as_read
from rayapp.moderation.fast.classifier import FastClassifier

PACKAGED = Path(__file__).with_name("weights")
AT_ONCE = 512  # windows in memory


class ClassifierError(UserError):
    """A trained classifier cannot be used."""


class FastStage:
    """Texts to probabilities, milliseconds a note; may be asked by several threads."""

    def __init__(self, classifier: FastClassifier) -> None:
        self.classifier = classifier
        self.heads = classifier.settings.categories
        self.version = f"fast-{classifier.version}"
        classifier.encoder.merge()
        self.lock = threading.Lock()  # a tokenizer of Hugging Face belongs to one thread at a time

    @classmethod
    def open(cls, folder: str | Path | None = None) -> FastStage:
        """The packaged classifier, or one of `jobs.train_moderation`; once a process. Raises ClassifierError."""
        return _opened(str(folder or PACKAGED))

    def scores(self, texts: list[str]) -> list[dict[str, float]]:
        """By head the probability that a text is of it, each for itself."""
        return [dict(zip(self.heads, row, strict=True)) for row in self.matrix(texts).tolist()]

    def ngrams_alone(self, texts: list[str]) -> np.ndarray:
        """[N, C]: what the n-grams say without the encoder, as a baseline."""
        return self.classifier.ngrams_alone(texts)

    def matrix(self, texts: list[str]) -> np.ndarray:
        """[N, C] of `heads`; a text without words is of none."""
        found_NC = np.zeros((len(texts), len(self.heads)), np.float32)
        with self.lock:
            read = [as_read(text.encode(errors="replace").decode()) for text in texts]  # no half of a pair
            windows = [(n, window) for n, own in enumerate(self.classifier.windows(read)) for window in own]
            for start in range(0, len(windows), AT_ONCE):
                part = windows[start : start + AT_ONCE]
                probabilities_NC = self.classifier.probabilities([window for _, window in part])
                np.maximum.at(found_NC, [n for n, _ in part], probabilities_NC)
        return found_NC


@cache
def _opened(folder: str) -> FastStage:
    try:
        return FastStage(FastClassifier.load(Path(folder)))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise ClassifierError(
            f"classifier {folder} cannot be used ({why}); make it with jobs.train_moderation"
        ) from None
