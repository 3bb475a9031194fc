"""Stage 3: pairs of answers of which one is better, and TRL's DPO trainer with an SFT term (RedOne, section 3.3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from rayapp.data.parquet import read_file
from rayapp.errors import UserError
from rayapp.redone.recipe import Recipe
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.registry import TASKS
from rayapp.redone.training.arguments import trainer_arguments

WRONG = 0.9  # an answer with a lower reward is a mistake


class PreferenceError(UserError):
    """The judged pairs cannot be read."""


class Pair(NamedTuple):
    """Token ids; the answers with what ends a turn."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


class JudgedPair(NamedTuple):
    """Texts of one pair."""

    question: str
    chosen: str
    rejected: str


def option_rejected(example: Example, rng: np.random.Generator) -> str | None:
    """A wrong option, for objective questions."""
    wrong = [option for option in example.options if option != example.answer]
    return wrong[int(rng.integers(len(wrong)))] if wrong else None


def mistake_rejected(example: Example, answers: Iterable[str]) -> str | None:
    """The model's own worst answer, if it is wrong."""
    task = TASKS[example.task]
    scored = [(task.reward(answer, example), answer.strip()) for answer in answers if answer.strip()]
    reward, worst = min(scored, default=(1.0, ""))
    return worst if reward < WRONG else None


def judged_pairs(file: Path, limit: int = 0) -> Iterator[JudgedPair]:
    """Columns conversations, chosen, rejected in JSON ({"from", "value"}), as preference sets are published; the last
    turn of a conversation is the question, an instruction before it stands above. Raises PreferenceError."""
    if not file.is_file():
        raise PreferenceError(f"preference: {file} is not there; give a Parquet file of judged pairs, or judged: ''")
    for number, row in enumerate(read_file(file).to_pylist()):
        if limit and number >= limit:
            return
        try:
            turns = json.loads(row["conversations"])
            question = "\n".join(turn["value"] for turn in turns if turn["from"] in ("system", "human"))
            chosen, rejected = (json.loads(row[name])["value"] for name in ("chosen", "rejected"))
        except (ValueError, KeyError, TypeError) as error:
            raise PreferenceError(
                f"preference: {file} row {number}: no judged pair ({type(error).__name__}: {error}); give "
                "conversations, chosen and rejected as JSON"
            ) from None
        if len(turns) <= 2 and chosen != rejected:
            yield JudgedPair(question, chosen, rejected)


class _TokenizedDPOTrainer(DPOTrainer):
    """For pairs that are tokenised already, identically to evaluation and serving."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Also load the trained adapter, which transformers skips when a reference adapter is present."""
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        target: Any = model or self.model
        if "ref" in getattr(target, "peft_config", {}):
            target.load_adapter(resume_from_checkpoint, "default", is_trainable=True)
            target.set_adapter("default")


def preference_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    *,
    pairs: Sequence[Pair],
    folder: Path,
    callbacks: list[TrainerCallback],
) -> DPOTrainer:
    """DPO with an SFT term; the reference is the model as the previous stage left it."""
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    arguments = DPOConfig(
        beta=recipe.preference.beta,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, recipe.preference.sft_weight],
        **trainer_arguments(recipe, folder, len(pairs)),
    )
    return _TokenizedDPOTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({name: [pair[n] for pair in pairs] for n, name in enumerate(names)}),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
