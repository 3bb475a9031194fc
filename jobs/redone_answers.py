"""Rejection sampling: a model's correct answers as a source of stage 2 (Yuan et al. 2023, section 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
from transformers import AutoTokenizer

from rayapp.cli.job import JobError, job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.llm.base_model import model_folder
from rayapp.redone.evaluation.answers import Questionnaire, ask_model
from rayapp.redone.public_sets.mixture import SETS, examples
from rayapp.redone.tasks.example import Example, read_examples, write_examples
from rayapp.redone.tasks.form import Form
from rayapp.redone.tasks.registry import task_of
from rayapp.terminal import console, print_table

OUTCOMES = ("right", "wrong", "cut off")


@job(
    "Ask a model the questions of a set and write the answers that the task's metric accepts, as a source of stage 2: "
    "the model's own answers against forgetting, or a larger model's for distillation. Resumable."
)
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the public sets.")
@click.option("--model", help="Model that answers; default: the configured one.")
@click.option(
    "--source", type=click.Choice(list(SETS)), default="forms", help="Public set, of which the train split is used."
)
@click.option(
    "--examples",
    "examples_file",
    type=click.Path(path_type=Path, exists=True),
    help="Use this JSONL of task examples instead.",
)
@click.option("--limit", default=3000, type=click.IntRange(1), help="Maximum number of questions.")
@click.option("--least", default=1.0, type=click.FloatRange(0, 1), help="Minimum reward of a correct answer.")
@click.option("--seed", default=0, help="Seed of the choice and order of questions.")
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Output: JSONL for a source of `kind: examples`.",
)
def main(
    config: Config,
    *,
    data: Path,
    model: str | None,
    source: str,
    examples_file: Path | None,
    limit: int,
    least: float,
    seed: int,
    to: Path,
) -> dict[str, Any]:
    name = model or config.llm.model
    questions = (
        list(islice(read_examples(examples_file), limit))
        if examples_file
        else examples(data, source, "train", limit, seed=seed)
    )
    if not questions:
        raise JobError(f"{examples_file or source} has no questions; give a set that has some")
    for task in {example.task for example in questions}:
        task_of(task)  # fail before the model runs
    connect_ray(quiet=True)
    responses, version = ask_model(
        name,
        Questionnaire(questions, [], [], options=False),
        llm=config.llm_access,
        cache=config.state_path / "evaluate",
        say=console.print,
    )
    tokenizer = AutoTokenizer.from_pretrained(model_folder(name, config.llm_cache))
    correct, counts = right_answers(questions, responses.generated, tokenizer, least)
    write_examples(to, correct)
    kinds = sorted({kind for kind, _ in counts})
    print_table(
        f"answers of {version}", ["", *OUTCOMES], [[kind, *(counts[kind, o] for o in OUTCOMES)] for kind in kinds]
    )
    console.print(f"{len(correct):,} of {len(questions):,} answers written to {to}")
    return {"model": version, "asked": len(questions), "kept": len(correct), "to": str(to)}


def right_answers(
    questions: Sequence[Example], generated: Sequence[str], tokenizer: Any, least: float
) -> tuple[list[Example], Counter[tuple[str, str]]]:
    """(questions with their correct answers, counts by kind and outcome). `least`: minimum reward of a correct
    answer."""
    correct: list[Example] = []
    counts: Counter[tuple[str, str]] = Counter()
    for example, text in zip(questions, generated, strict=True):
        answer, task = text.strip(), task_of(example.task)
        if len(tokenizer.encode(text, add_special_tokens=False)) >= task.max_tokens:
            outcome = "cut off"  # an answer without its end would teach never to stop
        elif not answer or task.reward(answer, example) < least:
            outcome = "wrong"
        else:
            outcome = "right"
            correct.append(msgspec.structs.replace(example, answer=answer))
        counts[_kind(example), outcome] += 1
    return correct, counts


def _kind(example: Example) -> str:
    """Verifiable instructions by their type: models follow some far more often than others."""
    return f"{example.task}, {example.query.partition(':')[0]}" if example.task == Form.name else example.task


if __name__ == "__main__":
    main()
