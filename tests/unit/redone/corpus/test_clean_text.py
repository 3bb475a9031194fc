"""Text of a source: filtered once, scored no more than is read."""

from __future__ import annotations

from collections import Counter

import numpy as np

from rayapp.redone.corpus.clean_text import SCORED_AT_ONCE, Cleaning, CleanText
from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.quality import Quality

WORDS = [
    "harbour",
    "lantern",
    "saffron",
    "bicycle",
    "winter",
    "orchestra",
    "pebble",
    "copper",
    "thunder",
    "violet",
    "meadow",
    "engine",
]


def text(number: int) -> str:
    """Twelve words in an order of their own: no near duplicate of another."""
    return " ".join(np.random.default_rng(number).choice([w + str(number) for w in WORDS], 12, replace=False))


def test_a_text_is_scored_once_and_only_when_it_is_read() -> None:
    scored: Counter[str] = Counter()

    def scores(texts: list[str]) -> np.ndarray:
        scored.update(texts)
        return np.arange(len(texts), dtype=float)

    counts: Counter[str] = Counter()
    texts = [text(n) for n in range(SCORED_AT_ONCE + 10)]
    cleaning = Cleaning(quality=Quality(odd=0.25, empty=0.0))
    clean = CleanText(texts, cleaning, known=Contamination([]), scores=scores, counts=counts)
    assert not scored
    next(clean.read(0))
    assert len(scored) == SCORED_AT_ONCE
    once, again = list(clean.read(0)), list(clean.read(0))
    assert once == again != list(clean.read(1))
    assert set(scored) == set(texts)
    assert set(scored.values()) == {1}
    left_out = counts["odd or empty to the quality model"]
    assert left_out == len(texts) - len(once) > 0


def test_every_reason_is_counted() -> None:
    counts: Counter[str] = Counter()
    texts = [text(1), text(1), text(2), "too short"]
    clean = CleanText(texts, Cleaning(), known=Contamination([text(2)]), scores=None, counts=counts)
    assert list(clean.read(0)) == [text(1)]
    assert counts == {"read": 4, "near duplicate": 1, "in an evaluation set": 1, "too short": 1}
