"""A model's own answers that are right, as a source of stage 2 (rejection sampling; Yuan et al. 2023, section 3.3)."""

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
from rayapp.redone.evaluation.answers import Asked, ask_model
from rayapp.redone.public_sets.mixture import SETS, examples
from rayapp.redone.tasks.example import Example, read_examples, write_examples
from rayapp.redone.tasks.form import Form
from rayapp.redone.tasks.registry import task_of
from rayapp.terminal import console, print_table

OUTCOMES = ("right", "wrong", "cut off")


@job(
    "Ask a model a set's questions and keep the answers that the task's metric finds right: what it can do already, as a "
    "source of stage 2, so that learning the rest does not cost it (or what a larger model can do). Run again, it goes on."
)
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the public sets.")
@click.option("--model", help="Who answers. Default: the configured one.")
@click.option("--source", type=click.Choice(list(SETS)), default="forms", help="A public set; its train split.")
@click.option("--examples", "own", type=click.Path(path_type=Path, exists=True), help="JSONL of task examples instead.")
@click.option("--limit", default=3000, type=click.IntRange(1), help="Questions.")
@click.option("--least", default=1.0, type=click.FloatRange(0, 1), help="Reward from which on an answer is right.")
@click.option("--seed", default=0, help="Which questions, and in which order.")
@click.option(
    "--to", required=True, type=click.Path(path_type=Path, dir_okay=False), help="JSONL for `kind: examples`."
)
def main(
    config: Config,
    data: Path,
    model: str | None,
    source: str,
    own: Path | None,
    limit: int,
    least: float,
    seed: int,
    to: Path,
) -> dict[str, Any]:
    name = model or config.llm.model
    asked = list(islice(read_examples(own), limit)) if own else examples(data, source, "train", limit, seed)
    if not asked:
        raise JobError(f"{own or source} has no questions; give a set that has some")
    for task in {example.task for example in asked}:
        task_of(task)  # now, and not after the model was asked
    connect_ray(quiet=True)
    answers, version = ask_model(config, name, Asked(asked, [], [], options=False))
    tokenizer = AutoTokenizer.from_pretrained(model_folder(name, config.llm_cache))
    kept, counts = right_answers(asked, answers.said, tokenizer, least)
    write_examples(to, kept)
    kinds = sorted({kind for kind, _ in counts})
    print_table(
        f"answers of {version}", ["", *OUTCOMES], [[kind, *(counts[kind, o] for o in OUTCOMES)] for kind in kinds]
    )
    console.print(f"{len(kept):,} answers of {len(asked):,} are in {to}")
    return {"model": version, "asked": len(asked), "kept": len(kept), "to": str(to)}


def right_answers(
    asked: Sequence[Example], said: Sequence[str], tokenizer: Any, least: float
) -> tuple[list[Example], Counter[tuple[str, str]]]:
    """(questions with their right answers, how many by kind and outcome)."""
    kept: list[Example] = []
    counts: Counter[tuple[str, str]] = Counter()
    for example, text in zip(asked, said, strict=True):
        answer, task = text.strip(), task_of(example.task)
        if len(tokenizer.encode(text, add_special_tokens=False)) >= task.max_tokens:
            outcome = "cut off"  # without an end it would teach to go on for ever
        elif not answer or task.reward(answer, example) < least:
            outcome = "wrong"
        else:
            outcome = "right"
            kept.append(msgspec.structs.replace(example, answer=answer))
        counts[_kind(example), outcome] += 1
    return kept, counts


def _kind(example: Example) -> str:
    """Of a form which one: how often a model keeps it differs much."""
    return f"{example.task}, {example.query.partition(':')[0]}" if example.task == Form.name else example.task


if __name__ == "__main__":
    main()
