"""How well moderation judges labelled notes: n-grams, classifier, language model, and both as a cascade."""

# pyright: basic

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rayapp.domain import Decision
from rayapp.moderation.fast.measures import Measure, measures
from rayapp.moderation.fast.sources import DISTRESS, LabelledNotes
from rayapp.moderation.judge import UNKNOWN, Judge, Look, Note

Scores = list[dict[str, float]]


class Acted(NamedTuple):
    """Shares of the harmful and of the harmless notes that a policy limits or blocks, and of the harmless it blocks."""

    harmful: float
    harmless: float
    blocked: float


class Arm(NamedTuple):
    """`measures`: by category and of the whole."""

    measures: dict[str, Measure]
    acted: Acted


def looked(judge: Judge, notes: LabelledNotes) -> list[Look]:
    return judge.look([Note(str(number), text) for number, text in enumerate(notes.texts)])


def arm(judge: Judge, scores: Scores, notes: LabelledNotes) -> Arm:
    """`scores`: final probabilities, as `looked` or `together` give them."""
    names = [*judge.policy.categories, DISTRESS]
    matrix = np.array([[row.get(name, UNKNOWN) for name in names] for row in scores], np.float32)
    decisions = np.array([judge.rules.decide(row).strictness for row in scores])
    acted = decisions > Decision.ALLOW.strictness
    blocked = decisions == Decision.BLOCK.strictness
    harmful, harmless = notes.harmful, notes.harmless

    def share(of: np.ndarray, among: np.ndarray) -> float:
        return float(of[among].mean()) if among.any() else float("nan")

    shares = Acted(share(acted, harmful), share(acted, harmless), share(blocked, harmless))
    return Arm(measures(matrix, notes, names), shares)


def together(judge: Judge, looks: list[Look], said: Mapping[int, Mapping[str, float]]) -> Scores:
    """The cascade's probabilities; `said`: the language model's labels of the notes that it was asked about."""
    return [judge.together(look.scores, said[n]) if n in said else look.scores for n, look in enumerate(looks)]
