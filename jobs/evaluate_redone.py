"""RedOne on its tasks: several models in one run, beside trivial floors, lexical baselines and published numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from rayapp.cli.job import JobError, job
from rayapp.cluster import connect_ray
from rayapp.config import Config
from rayapp.moderation.label_sets import SETS as LABEL_SETS
from rayapp.moderation.label_sets import LabelSet, read_split, set_named
from rayapp.moderation.scores import moderation_scores
from rayapp.redone.evaluation.answers import Answers, Asked, ask_model
from rayapp.redone.public_sets.mixture import CHINESE, ENGLISH, examples
from rayapp.redone.tasks.example import Example, read_examples
from rayapp.redone.tasks.official import official_examples
from rayapp.redone.tasks.registry import SNS_FAMILIES, task_of
from rayapp.redone.tasks.wording import unseen
from rayapp.stats.bootstrap import Interval, draws, interval, mean_of
from rayapp.terminal import console, print_table

PARTS = ("moderation", "tasks", "general")
TRAIN = 3000  # examples of each set that baselines learn from


@job("Scores of one model or several, with 95% intervals, beside floors and baselines. Run again, it goes on.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of the public sets.")
@click.option("--model", "models", multiple=True, help="Model; give it again for more. Default: the configured one.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Default: all of them.")
@click.option("--only", multiple=True, help="Only this public set; give it again for more.")
@click.option("--split", default="test", type=click.Choice(["dev", "test"]), help="Of the public sets' tasks.")
@click.option("--limit", default=200, help="Questions of each set of tasks (0: all).")
@click.option("--notes", default=0, help="Notes of each moderation set, from its start (0: all).")
@click.option(
    "--thresholds/--no-thresholds",
    default=True,
    help="Moderation: also with thresholds fitted to each set's dev split, whose notes are asked for it.",
)
@click.option(
    "--likelihood",
    default="first",
    type=click.Choice(["first", "all", "none"]),
    help="Of which models the likeliest option is asked for, beside what they say.",
)
@click.option(
    "--wording",
    default="own",
    type=click.Choice(["own", "unseen"]),
    help="How tasks are asked: as in training, or in words that no training saw.",
)
@click.option(
    "--official", type=click.Path(path_type=Path), help="Folder of SNS-Bench or RedTrans-Bench files instead."
)
@click.option("--examples", "own", type=click.Path(path_type=Path), help="JSONL of task examples instead.")
def main(
    config: Config,
    data: Path,
    models: tuple[str, ...],
    parts: tuple[str, ...],
    only: tuple[str, ...],
    split: str,
    limit: int,
    notes: int,
    thresholds: bool,
    likelihood: str,
    wording: str,
    official: Path | None,
    own: Path | None,
) -> dict[str, Any]:
    chosen, names = parts or (PARTS[:2] if only else PARTS), models or (config.llm.model,)
    if official is not None or own is not None:
        chosen = ("tasks",)
    public, labelled = _chosen_sets(only)
    tests, train = _tests(data, public, split, limit or None, official, own) if "tasks" in chosen else ([], {})
    forms = examples(data, "forms", "test") if "general" in chosen else []
    sets = {s.name: read_split(data, s, "test") for s in labelled} if "moderation" in chosen else {}
    if notes:
        sets = {name: (texts[:notes], truths[:notes]) for name, (texts, truths) in sets.items()}
    dev = {name: read_split(data, set_named(name), "dev") for name in sets} if thresholds else {}
    # Baselines read the task's own wording; what a model is asked may be another one.
    worded = [unseen(example) for example in tests] if wording == "unseen" else tests
    noted = [t for part in (sets, dev) for texts, _ in part.values() for t in texts]
    asked = Asked([*worded, *forms], noted, _held_out(data) if forms else [])
    asked = asked._replace(long=official is not None or own is not None)
    if not any(asked[:3]):
        raise JobError(f"--part {' --part '.join(chosen)} with these sets asks nothing; leave out --part or --only")
    connect_ray(quiet=True)
    answers: dict[str, Answers] = {}
    for number, model in enumerate(names):
        options = likelihood == "all" or (likelihood == "first" and number == 0)
        found, version = ask_model(
            model, asked._replace(options=options), llm=config.llm_access, kept_below=config.state_path / "evaluate"
        )
        if version in answers:
            raise JobError(f"--model {model}: {version} was given twice")
        answers[version] = found
    result: dict[str, Any] = {"models": list(answers), "split": split, "wording": wording}
    if sets:
        scores = moderation_scores(data, sets, dev, {name: a.labels for name, a in answers.items()})
        for name, arms in scores.items():
            rows = [[arm, *values] for arm, values in arms.items()]
            title = f"{name}, test split: {len(sets[name][0]):,} notes"
            print_table(title, ["", "macro-F1", "low 95%", "high"], rows)
        result["moderation"] = scores
    if tests:
        result["tasks"] = _task_scores(tests, train, {name: _first(a, len(tests)) for name, a in answers.items()})
    if forms:
        result["general"] = _general(forms, {name: (a.said[len(tests) :], a.losses) for name, a in answers.items()})
    return result


def _chosen_sets(only: Sequence[str]) -> tuple[list[str], list[LabelSet]]:
    """(public sets of tasks, labelled sets of moderation)."""
    there = [*ENGLISH, *CHINESE, *(s.name for s in LABEL_SETS)]
    for name in only:
        if name not in there:
            raise JobError(f"--only {name}: there is no such set; use one of {', '.join(there)}")
    public = [name for name in (*ENGLISH, *CHINESE) if not only or name in only]
    return public, [s for s in LABEL_SETS if not only or s.name in only]


def _tests(
    data: Path, names: Sequence[str], split: str, limit: int | None, official: Path | None, own: Path | None
) -> tuple[list[Example], dict[str, list[Example]]]:
    """(questions, training examples by task, for the baselines)."""
    if own is not None:
        return list(read_examples(own)), {}
    if official is not None:
        return official_examples(official), {}
    tests = [e for name in names for e in examples(data, name, split, limit)]
    train: dict[str, list[Example]] = {}
    for name in names:
        for example in examples(data, name, "train", TRAIN):
            train.setdefault(example.task, []).append(example)
    return tests, train


def _first(answers: Answers, count: int) -> list[tuple[str, str | None]]:
    return list(zip(answers.said[:count], answers.likeliest[:count], strict=True))


def _task_scores(
    tests: Sequence[Example],
    train: dict[str, list[Example]],
    models: dict[str, list[tuple[str, str | None]]],
) -> dict[str, Any]:
    """By arm and sub-task: an interval. Arms: floor, lexical, and of every model its words and its likeliest options."""
    places: dict[str, list[int]] = {}
    for n, example in enumerate(tests):
        key = example.task if not _chinese(example) else f"{example.task} (Chinese)"
        places.setdefault(key, []).append(n)
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, own in places.items():
        asked, task = [tests[n] for n in own], task_of(tests[own[0]].task)
        known = [e for e in train.get(task.name, []) if _chinese(e) == _chinese(asked[0])]
        arms = {"trivial floor": task.trivial(known, asked), "lexical": task.lexical(known, asked)}
        for name, said in models.items():
            arms[name] = [said[n][0] for n in own]
            if said[own[0]][1] is not None:
                arms[f"{name}, likelihood"] = [said[n][1] or "" for n in own]
        for arm, answers in arms.items():
            judged = [task.judge(answer, example) for answer, example in zip(answers, asked, strict=True)]
            found.setdefault(arm, {})[key] = draws(task.score, judged)
    _add_averages(found, places, tests)
    rows = [
        [key, len(places.get(key, tests)), *(_shown(found[arm].get(key)) for arm in found)]
        for key in found["trivial floor"]
    ]
    print_table("tasks (95% intervals in the result file)", ["", "questions", *found], rows, numbered=len(found) > 5)
    result: dict[str, Any] = {
        arm: {key: interval(values)._asdict() for key, values in scores.items()} for arm, scores in found.items()
    }
    first, *others = models
    for name in others:
        gains = {key: interval(found[name][key] - found[first][key])._asdict() for key in found[name]}
        result[f"{name} over {first}"] = gains
        console.print(f"{name} over {first}, paired:")
        for key, gain in gains.items():
            console.print(f"  {key}: {gain['value']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})")
    return result


def _add_averages(
    found: dict[str, dict[str, np.ndarray]], places: dict[str, list[int]], tests: Sequence[Example]
) -> None:
    """Of families with several sub-tasks, and of the eight families where all are there, Chinese apart."""
    families: dict[str, list[str]] = {}
    for key, own in places.items():
        if "(Chinese)" not in key:
            families.setdefault(task_of(tests[own[0]].task).family, []).append(key)
    for arm, scores in found.items():
        if any(key not in scores for keys in families.values() for key in keys):
            continue  # likelihood answers questions with options alone
        for family, keys in families.items():
            if len(keys) > 1:
                scores[f"= {family}"] = mean_of(scores, {family: keys})
        if all(family in families for family in SNS_FAMILIES):
            scores["= the eight"] = mean_of(scores, {f: families[f] for f in SNS_FAMILIES})
        found[arm] = scores


def _general(forms: Sequence[Example], models: dict[str, tuple[list[str], list[tuple[float, int]]]]) -> dict[str, Any]:
    """Checkable instructions, and perplexity of held-out answers; both against the first model."""
    task = task_of(forms[0].task)
    result: dict[str, Any] = {}
    rows: list[list[Any]] = []
    first: tuple[np.ndarray, float] | None = None
    for name, (said, losses) in models.items():
        found = draws(task.score, [task.judge(s, e) for s, e in zip(said, forms, strict=True)])
        perplexity = math.exp(sum(nats for nats, _ in losses) / sum(count for _, count in losses))
        first = first or (found, perplexity)
        score, gain = interval(found), interval(found - first[0])
        rows.append([name, score.value, _plus(gain), perplexity, perplexity / first[1]])
        result[name] = {
            "form": score._asdict(),
            "form_gain": gain._asdict(),
            "perplexity": perplexity,
            "perplexity_ratio": perplexity / first[1],
        }
    columns = ["", "form kept, %", "against the first", "perplexity", "ratio"]
    print_table(f"general ability: {len(forms)} checkable instructions, {len(losses)} held-out answers", columns, rows)
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
