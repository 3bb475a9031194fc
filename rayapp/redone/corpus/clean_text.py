"""A text source after filtering, deduplication and decontamination, with counts of what was removed by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np

from rayapp.redone.corpus import quality, rules
from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.duplicates import Duplicates
from rayapp.redone.corpus.quality import Quality
from rayapp.redone.corpus.rules import Rules
from rayapp.section import Share

Scores = Callable[[list[str]], np.ndarray]  # losses of a small model
SCORED_AT_ONCE = 128


class Cleaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cleaning of text: rules, near-duplicate threshold, quality filter. Decontamination is always on."""

    rules: Rules = Rules()
    duplicates: Share = 0.8
    quality: Quality | None = Quality()


class CleanText:
    """Filtered once, however often it is read; the small model scores only the texts that are read, each once."""

    def __init__(
        self,
        texts: Iterable[str],
        cleaning: Cleaning,
        *,
        known: Contamination,
        scores: Scores | None,
        counts: Counter[str],
    ) -> None:
        self.cleaning = cleaning
        self.known = known
        self.scores = scores
        self.counts = counts
        self.filtered = list(self._filtered(texts))
        self._good: dict[int, bool] = {}

    def read(self, seed: int) -> Iterator[str]:
        """The texts in the order of `seed`."""
        order = np.random.default_rng(seed).permutation(len(self.filtered))
        for start in range(0, len(order), SCORED_AT_ONCE):
            part = [int(n) for n in order[start : start + SCORED_AT_ONCE]]
            self._score([n for n in part if n not in self._good])
            yield from (self.filtered[n] for n in part if self._good[n])

    def _filtered(self, texts: Iterable[str]) -> Iterator[str]:
        seen = Duplicates(self.cleaning.duplicates)
        for text in texts:
            self.counts["read"] += 1
            why = rules.reason(text, self.cleaning.rules)
            if why is None and self.known.repeats(text):
                why = "in an evaluation set"
            if why is None and not seen.is_new(text):
                why = "near duplicate"
            if why is None:
                yield text
            else:
                self.counts[why] += 1

    def _score(self, places: list[int]) -> None:
        good = np.ones(len(places), dtype=bool)
        if places and self.scores is not None and self.cleaning.quality is not None:
            good = quality.keep(self.scores([self.filtered[n] for n in places]), self.cleaning.quality)
            self.counts["odd or empty to the quality model"] += int((~good).sum())
        self._good |= dict(zip(places, good.tolist(), strict=True))
