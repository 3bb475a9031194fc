"""General instructions with a form added that a program can check: questions without an answer, whose check is the
reward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rayapp.redone.public_sets.rows import rows
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.form import FORMS, WORDS, Form


def forms(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """Every instruction of Alpaca with every constraint, in random order: 792 in the test split."""
    instructions = rows(folder, "general/alpaca_en.parquet", split, has=("train", "test"))
    kinds = list(FORMS.items())
    for which in np.random.default_rng(seed).permutation(len(instructions) * len(kinds)):
        number, place = divmod(int(which), len(kinds))
        kind, (ask, _) = kinds[place]
        rng = np.random.default_rng([seed, number, place])
        drawn = {
            "at most": str(int(rng.choice([10, 20, 30]))),
            "at least": str(int(rng.choice([20, 30, 40]))),
            "bullets": str(int(rng.choice([2, 3, 4]))),
        }.get(kind, str(rng.choice(WORDS)) if "{}" in ask else "")
        instruction = f"{instructions[number]['instruction']} {instructions[number]['input']}".strip()
        question = f"{instruction}\n{ask.format(drawn)}"
        yield Example(Form.name, question, "", note=instruction, query=f"{kind}:{drawn}", source="Alpaca, form added")
