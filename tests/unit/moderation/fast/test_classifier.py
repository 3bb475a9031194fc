"""The fast classifier trained on a handful of notes: it learns, is saved and loaded, and knows what it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rayapp.moderation.fast.classifier import FastClassifier, Fusion, Settings
from rayapp.moderation.fast.sources import HEADS, LabelledNotes, labels_of, notes_of
from rayapp.moderation.fast.training import EncoderTraining, train_encoder, train_ngrams, weigh

SPAM = [f"follow me for cheap followers number {n}" for n in range(20)]
PLAIN = [f"a quiet walk by the lake on day {n}" for n in range(20)]


@pytest.fixture(scope="module")
def notes() -> LabelledNotes:
    every = [*(labels_of([name]) for name in HEADS)] * 2  # liblinear wants both sides of each category
    texts = [f"{name} example" for name in HEADS] * 2
    labels = [*[labels_of(["spam"], frozenset({"fraud"}))] * 20, *[labels_of([])] * 20, *every]
    return notes_of([*SPAM, *PLAIN, *texts], labels, "s")


@pytest.fixture(scope="module")
def classifier(notes: LabelledNotes) -> FastClassifier:
    weights = np.ones(len(notes.texts))
    lines: list[str] = []
    encoder = train_encoder(notes, weights, EncoderTraining(epochs=6, batch=8), say=lines.append)
    ngrams, bias = train_ngrams(notes, weights, say=lines.append)
    made = FastClassifier(encoder, ngrams, bias, Settings(HEADS, dict.fromkeys(HEADS, Fusion(1, 1, 0)), ""))
    fusion = weigh(*made.parts(notes.texts), notes)
    assert sum(line.startswith("  n-grams") for line in lines) == len(HEADS)
    return FastClassifier(encoder, ngrams, bias, Settings(HEADS, fusion, "a test"))


def test_it_tells_what_it_was_shown_from_the_rest(classifier: FastClassifier) -> None:
    spam = HEADS.index("spam")
    harmful, harmless = (classifier.probabilities(texts)[:, spam] for texts in (SPAM, PLAIN))
    assert harmful.min() > harmless.max()


def test_a_saved_one_says_the_same(classifier: FastClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path)
    again = FastClassifier.load(tmp_path)
    texts = [*SPAM[:3], *PLAIN[:3], "", "你好"]
    assert np.allclose(again.probabilities(texts), classifier.probabilities(texts), atol=0.02)  # half precision
    again.save(tmp_path / "twice")
    assert FastClassifier.load(tmp_path / "twice").version == again.version
