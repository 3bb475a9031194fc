"""RedOne at one budget of trained tokens: the whole pipeline, a model of each task alone, and each stage left out.

    python -m tests.benchmarks.redone_arms --data sns --folder arms

Every arm is the jobs as a user starts them, then `jobs.evaluate_redone` over what the arm can answer. Run again, it goes
on: stages that are done are not trained again, arms that begin alike share their first stages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from rayapp.llm.base_model import PACKAGED
from rayapp.terminal import console, print_table

# Which sources of the recipe teach a task, and which evaluation sets ask it: the same names.
TASKS: dict[str, tuple[str, ...]] = {
    "taxonomy": ("emotion", "irony", "stance", "sexism"),
    "hashtag": ("hashtag",),
    "query_corr": ("answers_query", "query_grades"),
    "mrc": ("sentences_asked", "options_asked"),
    "ner": ("entities",),
    "gender": ("readers",),
    "chlw": ("highlights",),
    "query_gen": ("next_query",),
    "translation": ("translation",),
    "moderation": ("EDOS, task A", "hate_offensive", "TweetEval hate", "TweetEval offensive"),
}


class Stage(NamedTuple):
    """`share` of the budget; `only`: sources of the recipe."""

    job: str
    recipe: str
    share: float
    only: tuple[str, ...] = ()


PRETRAIN = Stage("pretrain", "redone_pretrain", 0.2)
FINETUNE = Stage("finetune", "redone_finetune", 0.47)
REFINE = Stage("finetune", "redone_refine", 0.23)
PREFER = Stage("prefer", "redone_prefer", 0.1)


class Arm(NamedTuple):
    """`asks`: sets to evaluate on, all of them where there are none."""

    stages: tuple[Stage, ...]
    asks: tuple[str, ...] = ()


ARMS = {
    "stage 1": Arm((PRETRAIN,)),
    "stages 1 and 2": Arm((PRETRAIN, FINETUNE, REFINE)),
    "stages 1, 2, 3": Arm((PRETRAIN, FINETUNE, REFINE, PREFER)),
    **{f"{task} alone": Arm((Stage("finetune", "redone_finetune", 1.0, sets),), sets) for task, sets in TASKS.items()},
    "without stage 1": Arm((FINETUNE._replace(share=0.67), REFINE, PREFER)),
    "without stage 2": Arm((PRETRAIN._replace(share=0.9), PREFER)),
    "without stage 3": Arm((PRETRAIN, FINETUNE, REFINE._replace(share=0.33))),
}


def trained(arm: Arm, folder: Path, data: Path, told: list[str], tokens: int) -> Path:
    """The folder of the arm's adapter."""
    adapter = Path()
    for stage in arm.stages:
        budget = round(stage.share * tokens)
        only = f"-{stage.only[0].split(',')[0].replace(' ', '_')}" if stage.only else ""
        adapter, before = folder / f"{adapter.name or 'base'}+{stage.recipe}{only}-{budget}", adapter
        command = [
            *(sys.executable, "-m", f"jobs.redone_{stage.job}", *told, "--data", str(data), "--output", str(adapter)),
            *("--recipe", f"jobs/configs/{stage.recipe}.yaml", "--tokens", str(budget)),
            *(part for name in stage.only for part in ("--only", name)),
            *(("--adapter", str(before)) if before.name else ()),
        ]
        subprocess.run(command, check=True)
    return adapter


def evaluated(
    models: list[str], asks: tuple[str, ...], file: Path, data: Path, told: list[str], limits: list[str]
) -> Any:
    """The result of `jobs.evaluate_redone` as it writes it."""
    command = [
        *(sys.executable, "-m", "jobs.evaluate_redone", *told, "--data", str(data), "--out", str(file), *limits),
        *(part for model in models for part in ("--model", model)),
        *(part for name in asks for part in ("--only", name)),
        *(() if asks else ("--part", "moderation", "--part", "tasks")),
        *("--likelihood", "none" if asks else "first"),
        "--no-thresholds",
    ]
    subprocess.run(command, check=True)
    return json.loads(file.read_text())


def scores_of(result: dict[str, Any], arms: dict[str, str]) -> dict[str, dict[str, float]]:
    """By arm and row: tasks as they are, moderation in percent. `arms`: versions to names; baselines keep theirs."""
    found: dict[str, dict[str, float]] = {}
    for arm, rows in result.get("tasks", {}).items():
        if " over " not in arm:
            own = found.setdefault(_named(arm, arms), {})
            own |= {key: score["value"] for key, score in rows.items()}
    for name, rows in result.get("moderation", {}).items():
        for arm, (value, *_) in rows.items():
            version, _, kind = arm.partition(", likelihood")
            found.setdefault(_named(version + kind, arms), {})[name] = 100 * value
    return found


def _named(arm: str, arms: dict[str, str]) -> str:
    version, comma, rest = arm.partition(", likelihood")
    return f"{arms.get(version, version)}{comma}{rest}"


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--config", default="", help="As of any job.")
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of the public sets.")
@click.option("--folder", required=True, type=click.Path(path_type=Path), help="For adapters and results.")
@click.option("--tokens", default=300_000, help="Of every arm, all its stages together.")
@click.option(
    "--arm", "chosen", multiple=True, type=click.Choice(list(ARMS)), help="Give it again for more; default: all."
)
@click.option("--limit", default=100, help="Questions of each set of tasks (0: all).")
@click.option("--notes", default=500, help="Notes of each moderation set (0: all).")
def main(config: str, data: Path, folder: Path, tokens: int, chosen: tuple[str, ...], limit: int, notes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = ["--config", config] if config else []
    limits = ["--limit", str(limit), "--notes", str(notes)]
    whole: dict[str, str] = {PACKAGED: "base"}
    found: dict[str, dict[str, float]] = {}
    for name in chosen or ARMS:
        arm = ARMS[name]
        console.print(f"== {name}: {len(arm.stages)} stages, {tokens:,} tokens")
        adapter = trained(arm, folder, data, told, tokens)
        if not arm.asks:
            whole[str(adapter)] = name
            continue
        result = evaluated([str(adapter)], arm.asks, folder / f"{name}.json", data, told, limits)
        found |= {k: v for k, v in scores_of(result, {result["models"][0]: name}).items() if k == name}
    result = evaluated(list(whole), (), folder / "whole.json", data, told, limits)
    found = scores_of(result, dict(zip(result["models"], whole.values(), strict=True))) | found
    (folder / "scores.json").write_text(json.dumps(found, indent=1))
    rows = dict.fromkeys(row for scores in found.values() for row in scores)
    print_table(
        f"{tokens:,} tokens an arm",
        ["", *found],
        [[row, *(f"{scores[row]:.1f}" if row in scores else "" for scores in found.values())] for row in rows],
        numbered=True,
    )


if __name__ == "__main__":
    main()
