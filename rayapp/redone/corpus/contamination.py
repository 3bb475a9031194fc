"""Training text that repeats an evaluation set: overlap of n-grams of words (Brown et al. 2020, appendix C)."""

from __future__ import annotations

from collections.abc import Iterable

from rayapp.redone.tasks.texts import words

WORDS = 8  # notes are short: 13 as for web pages would miss most of them


class Contamination:
    """The n-grams of evaluation texts; a text with fewer than n words counts as one n-gram."""

    def __init__(self, evaluation: Iterable[str], size: int = WORDS) -> None:
        self.size = size
        self.known = {gram for text in evaluation for gram in self._grams(text)}

    def repeats(self, text: str) -> bool:
        return any(gram in self.known for gram in self._grams(text))

    def _grams(self, text: str) -> set[tuple[str, ...]]:
        tokens = words(text)
        if len(tokens) <= self.size:
            return {tuple(tokens)} if len(tokens) >= self.size // 2 else set()
        return {tuple(tokens[n : n + self.size]) for n in range(len(tokens) - self.size + 1)}
