"""Evaluate RedOne on its tasks: several models in one run, with trivial and lexical baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from jobs.evaluate_moderation import evaluate, own_sets
from rayapp.cli.job import JobError, job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.moderation.label_sets import SETS as LABEL_SETS
from rayapp.moderation.label_sets import LabelSet, read_split, set_named
from rayapp.moderation.scores import moderation_scores
from rayapp.redone.evaluation.answers import Questionnaire, Responses, ask_model
from rayapp.redone.public_sets.mixture import CHINESE, ENGLISH, examples
from rayapp.redone.tasks.example import Example, read_examples
from rayapp.redone.tasks.official import official_examples
from rayapp.redone.tasks.registry import SNS_FAMILIES, task_of
from rayapp.redone.tasks.wording import unseen
from rayapp.stats.bootstrap import Interval, draws, interval, mean_of
from rayapp.terminal import console, print_table

PARTS = ("moderation", "tasks", "general")
TRAIN = 3000  # training examples of each set for the baselines


@job("Scores of one or more models with 95% intervals, beside trivial and lexical baselines. Resumable.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the public sets.")
@click.option("--model", "models", multiple=True, help="Model (repeatable); default: the configured one.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Part of the evaluation (repeatable); default: all.",
)
@click.option("--only", multiple=True, help="Only this public set (repeatable).")
@click.option("--split", default="test", type=click.Choice(["dev", "test"]), help="Split of the public sets.")
@click.option("--limit", default=200, help="Maximum number of questions of each set (0: all).")
@click.option("--limit-notes", default=0, help="Maximum number of notes of each moderation set (0: all).")
@click.option(
    "--notes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Evaluate on these labelled notes instead (Parquet, CSV or JSON lines with text and label): the language "
    "model alone, the classifier, and both, as jobs.evaluate_moderation --alone does.",
)
@click.option(
    "--thresholds/--no-thresholds",
    default=True,
    help="Moderation: also score with thresholds fitted on each set's dev split, which is then judged too.",
)
@click.option(
    "--likelihood",
    default="first",
    type=click.Choice(["first", "all", "none"]),
    help="Models to score by option likelihood as well as by generation.",
)
@click.option(
    "--wording",
    default="own",
    type=click.Choice(["own", "unseen"]),
    help="Instructions of the tasks: those of training, or paraphrases held out from it.",
)
@click.option(
    "--official",
    type=click.Path(path_type=Path),
    help="Evaluate on the SNS-Bench or RedTrans-Bench files of this folder instead.",
)
@click.option(
    "--examples",
    "examples_file",
    type=click.Path(path_type=Path),
    help="Evaluate on this JSONL of task examples instead.",
)
def main(
    config: Config,
    *,
    data: Path | None,
    models: tuple[str, ...],
    parts: tuple[str, ...],
    only: tuple[str, ...],
    split: str,
    limit: int,
    limit_notes: int,
    notes: tuple[Path, ...],
    thresholds: bool,
    likelihood: str,
    wording: str,
    official: Path | None,
    examples_file: Path | None,
) -> dict[str, Any]:
    if notes:
        return evaluate(config, own_sets(config, notes), alone=True)
    if data is None:
        raise JobError("there is nothing to evaluate on; give --data FOLDER or --notes FILE")
    chosen, names = parts or (PARTS[:2] if only else PARTS), models or (config.llm.model,)
    if official is not None or examples_file is not None:
        chosen = ("tasks",)
    public, labelled = _chosen_sets(only)
    tests, train = (
        _tests(data, public, split, limit=limit or None, official=official, examples_file=examples_file)
        if "tasks" in chosen
        else ([], {})
    )
    forms = examples(data, "forms", "test") if "general" in chosen else []
    sets = {s.name: read_split(data, s, "test") for s in labelled} if "moderation" in chosen else {}
    if limit_notes:
        sets = {name: (texts[:limit_notes], truths[:limit_notes]) for name, (texts, truths) in sets.items()}
    dev = {name: read_split(data, set_named(name), "dev") for name in sets} if thresholds else {}
    # Baselines read the task's own wording; models may get another one.
    worded = [unseen(example) for example in tests] if wording == "unseen" else tests
    noted = [t for part in (sets, dev) for texts, _ in part.values() for t in texts]
    questionnaire = Questionnaire(
        [*worded, *forms],
        noted,
        _held_out(data) if forms else [],
        long=official is not None or examples_file is not None,
    )
    if not any(questionnaire[:3]):
        raise JobError(f"--part {' --part '.join(chosen)} with these sets asks nothing; leave out --part or --only")
    connect_ray(quiet=True)
    responses: dict[str, Responses] = {}
    for number, model in enumerate(names):
        options = likelihood == "all" or (likelihood == "first" and number == 0)
        response, version = ask_model(
            model,
            questionnaire._replace(options=options),
            llm=config.llm_access,
            cache=config.state_path / "evaluate",
            say=console.print,
        )
        if version in responses:
            raise JobError(f"--model {model}: {version} was given twice")
        responses[version] = response
    result: dict[str, Any] = {"models": list(responses), "split": split, "wording": wording}
    if sets:
        scores = moderation_scores(data, sets, dev, {name: r.labels for name, r in responses.items()})
        for name, arms in scores.items():
            rows = [[arm, *values] for arm, values in arms.items()]
            title = f"{name}, test split: {len(sets[name][0]):,} notes"
            print_table(title, ["", "macro-F1", "low 95%", "high"], rows)
        result["moderation"] = scores
    if tests:
        result["tasks"] = _task_scores(tests, train, {name: _first(r, len(tests)) for name, r in responses.items()})
    if forms:
        result["general"] = _general(
            forms, {name: (r.generated[len(tests) :], r.losses) for name, r in responses.items()}
        )
    return result


def _chosen_sets(only: Sequence[str]) -> tuple[list[str], list[LabelSet]]:
    """(public sets of tasks, labelled sets of moderation)."""
    known = [*ENGLISH, *CHINESE, *(s.name for s in LABEL_SETS)]
    for name in only:
        if name not in known:
            raise JobError(f"--only {name}: there is no such set; use one of {', '.join(known)}")
    public = [name for name in (*ENGLISH, *CHINESE) if not only or name in only]
    return public, [s for s in LABEL_SETS if not only or s.name in only]


def _tests(
    data: Path,
    names: Sequence[str],
    split: str,
    *,
    limit: int | None,
    official: Path | None,
    examples_file: Path | None,
) -> tuple[list[Example], dict[str, list[Example]]]:
    """(questions, training examples by task, for the baselines)."""
    if examples_file is not None:
        return list(read_examples(examples_file)), {}
    if official is not None:
        return official_examples(official), {}
    tests = [e for name in names for e in examples(data, name, split, limit)]
    train: dict[str, list[Example]] = {}
    for name in names:
        for example in examples(data, name, "train", TRAIN):
            train.setdefault(example.task, []).append(example)
    return tests, train


def _first(responses: Responses, count: int) -> list[tuple[str, str | None]]:
    """(generated answer, likeliest option) of the first examples."""
    return list(zip(responses.generated[:count], responses.likeliest[:count], strict=True))


def _task_scores(
    tests: Sequence[Example],
    train: dict[str, list[Example]],
    models: dict[str, list[tuple[str, str | None]]],
) -> dict[str, Any]:
    """Intervals by arm and sub-task. Arms: trivial, lexical, and each model's generated answers and likeliest
    options."""
    places: dict[str, list[int]] = {}
    for n, example in enumerate(tests):
        key = example.task if not _chinese(example) else f"{example.task} (Chinese)"
        places.setdefault(key, []).append(n)
    scores_by_arm: dict[str, dict[str, np.ndarray]] = {}
    for key, rows_of_key in places.items():
        questions, task = [tests[n] for n in rows_of_key], task_of(tests[rows_of_key[0]].task)
        known = [e for e in train.get(task.name, []) if _chinese(e) == _chinese(questions[0])]
        arms = {"trivial floor": task.trivial(known, questions), "lexical": task.lexical(known, questions)}
        for name, answers in models.items():
            arms[name] = [answers[n][0] for n in rows_of_key]
            if answers[rows_of_key[0]][1] is not None:
                arms[f"{name}, likelihood"] = [answers[n][1] or "" for n in rows_of_key]
        for arm, texts in arms.items():
            statistics = [task.judge(text, example) for text, example in zip(texts, questions, strict=True)]
            scores_by_arm.setdefault(arm, {})[key] = draws(task.score, statistics)
    _add_averages(scores_by_arm, places, tests)
    rows = [
        [key, len(places.get(key, tests)), *(_shown(scores_by_arm[arm].get(key)) for arm in scores_by_arm)]
        for key in scores_by_arm["trivial floor"]
    ]
    print_table(
        "tasks (95% intervals in the result file)",
        ["", "questions", *scores_by_arm],
        rows,
        numbered=len(scores_by_arm) > 5,
    )
    result: dict[str, Any] = {
        arm: {key: interval(values)._asdict() for key, values in scores.items()}
        for arm, scores in scores_by_arm.items()
    }
    first, *others = models
    for name in others:
        gains = {
            key: interval(scores_by_arm[name][key] - scores_by_arm[first][key])._asdict() for key in scores_by_arm[name]
        }
        result[f"{name} over {first}"] = gains
        console.print(f"{name} over {first}, paired:")
        for key, gain in gains.items():
            console.print(f"  {key}: {gain['value']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})")
    return result


def _add_averages(
    scores_by_arm: dict[str, dict[str, np.ndarray]], places: dict[str, list[int]], tests: Sequence[Example]
) -> None:
    """Means over families of several sub-tasks, and over the eight families where all are present; without Chinese."""
    families: dict[str, list[str]] = {}
    for key, rows_of_key in places.items():
        if "(Chinese)" not in key:
            families.setdefault(task_of(tests[rows_of_key[0]].task).family, []).append(key)
    for arm, scores in scores_by_arm.items():
        if any(key not in scores for keys in families.values() for key in keys):
            continue  # likelihood is defined only for questions with options
        for family, keys in families.items():
            if len(keys) > 1:
                scores[f"= {family}"] = mean_of(scores, {family: keys})
        if all(family in families for family in SNS_FAMILIES):
            scores["= the eight"] = mean_of(scores, {f: families[f] for f in SNS_FAMILIES})
        scores_by_arm[arm] = scores


def _general(forms: Sequence[Example], models: dict[str, tuple[list[str], list[tuple[float, int]]]]) -> dict[str, Any]:
    """Verifiable instructions, and perplexity of held-out answers; both relative to the first model."""
    task = task_of(forms[0].task)
    result: dict[str, Any] = {}
    rows: list[list[Any]] = []
    first: tuple[np.ndarray, float] | None = None
    for name, (generated, losses) in models.items():
        resampled = draws(task.score, [task.judge(s, e) for s, e in zip(generated, forms, strict=True)])
        perplexity = math.exp(sum(nats for nats, _ in losses) / sum(count for _, count in losses))
        first = first or (resampled, perplexity)
        score, gain = interval(resampled), interval(resampled - first[0])
        rows.append([name, score.value, _plus(gain), perplexity, perplexity / first[1]])
        result[name] = {
            "form": score._asdict(),
            "form_gain": gain._asdict(),
            "perplexity": perplexity,
            "perplexity_ratio": perplexity / first[1],
        }
    columns = ["", "instructions followed, %", "vs. first model", "perplexity", "ratio"]
    print_table(f"general ability: {len(forms)} verifiable instructions, {len(losses)} held-out answers", columns, rows)
    return result


def _held_out(data: Path) -> list[Example]:
    from rayapp.redone.corpus.source import Source, source_examples

    source = Source("alpaca", "instructions", "general/alpaca_en.parquet", where={"split": "test"})
    return list(source_examples(source, data, "test", 0))


def _chinese(example: Example) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in example.note) and not example.task.startswith("translation")


def _shown(values: np.ndarray | None) -> str:
    return "" if values is None else f"{values[0]:.1f}"


def _plus(gain: Interval) -> str:
    return f"{gain.value:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})"


if __name__ == "__main__":
    main()
