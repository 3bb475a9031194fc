"""A model's README says what it learned, and what the adapter had been through before."""

from __future__ import annotations

from typing import Any

from rayapp.redone.corpus.source import Source
from rayapp.redone.recipe import Recipe
from rayapp.redone.training.model_card import model_card

RECIPE = Recipe(stage="finetune", name="refine", sources=[Source("irony", "task", weight=3)])


def about(**more: Any) -> dict[str, Any]:
    counts = {"irony": {"read": 1200, "taken": 1000, "in an evaluation set": 200, "passes": 1}}
    data = {**counts, "trained": {"taken": 990, "tokens": 41_000}}
    return {"from": "Base@1", "steps": 20, "data": data, "curve": [[1, 2.0], [2, 1.0]], "held_out": [[2, 1.25]], **more}


def test_a_card_counts_what_was_learned_and_left_out() -> None:
    card = model_card(RECIPE, about())
    assert card.startswith("---\nbase_model: SmolLM2-135M-Instruct\nlibrary_name: peft\n")
    assert "of Base@1" in card
    assert "20 steps, 41,000 tokens, 990 examples" in card
    assert "| irony | 3 | 1,200 | 1,000 | in an evaluation set 200 |" in card
    assert "first tenth of the steps 2.000, of the last 1.000" in card
    assert "Before it" not in card


def test_a_card_tells_the_stages_before_in_order() -> None:
    first = {"stage": "pretrain", "recipe": "texts", "steps": 5, "tokens": 10_000, "taken": 70}
    second = {"stage": "finetune", "recipe": "all", "steps": 9, "tokens": 20_000, "taken": 300}
    card = model_card(RECIPE, about(before=[first, second]))
    rows = [line for line in card.splitlines() if line.startswith(("| continued", "| supervised"))]
    assert rows == [
        "| continued pretraining | texts | 5 | 10,000 | 70 |",
        "| supervised fine-tuning | all | 9 | 20,000 | 300 |",
    ]


def test_a_card_of_pairs_counts_kinds_of_pairs() -> None:
    data = {"asked": {"read": 240}, "wrong options": {"taken": 131}, "trained": {"taken": 126, "tokens": 29_854}}
    card = model_card(Recipe(stage="prefer", name="prefer", sources=RECIPE.sources), about(data=data))
    assert "| wrong options |  | 0 | 131 |  |" in card
    assert "| trained" not in card
    assert "| irony" not in card
