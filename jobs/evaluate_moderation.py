"""Evaluate moderation on labelled notes: by category, set by set, beside simple baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.llm.base_model import model_folder
from rayapp.llm.model_version import model_version
from rayapp.moderation.calibration import calibration_of
from rayapp.moderation.fast.measures import WHOLE, Measure
from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import DISTRESS, SOURCES, LabelledNotes, read_source, together
from rayapp.moderation.fast.stage import FastStage
from rayapp.moderation.judge import Judge
from rayapp.moderation.offline import labels_of, offline_stage
from rayapp.moderation.policy import load_policy
from rayapp.moderation.report import Arm, arm, looked
from rayapp.moderation.report import together as fused
from rayapp.terminal import console, print_table

COLUMNS = ["", "harmful", "harmless", "PR-AUC", "recall at 1%", "recall at 5%"]


@job("Evaluate moderation on labelled notes: PR-AUC, recall by false-positive rate, and what the policy does.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with moderation/ and sns/ of the public sets.")
@click.option("--split", default="test", type=click.Choice(["dev", "test"]), help="Split of the public sets.")
@click.option("--set", "only", multiple=True, help="Only this public set (repeatable).")
@click.option(
    "--notes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Own labelled notes (Parquet, CSV or JSON lines with text and label; repeatable).",
)
@click.option(
    "--alone/--no-alone",
    default=False,
    help="Also ask the language model about every note, and not only about those that the classifier leaves open.",
)
def main(
    config: Config, *, data: Path | None, split: str, only: tuple[str, ...], notes: tuple[Path, ...], alone: bool
) -> dict[str, Any]:
    if data is None and not notes:
        raise JobError("there is nothing to evaluate on; give --data FOLDER or --notes FILE")
    names = (*load_policy(config.llm.policy or None).categories, DISTRESS)
    sets = own_sets(config, notes)
    if data is not None:
        sets |= _public(data, split, only, names)
    return evaluate(config, sets, alone=alone)


def own_sets(config: Config, files: tuple[Path, ...]) -> dict[str, LabelledNotes]:
    """By file name, with the policy's categories. Raises SourceError."""
    names = (*load_policy(config.llm.policy or None).categories, DISTRESS)
    return {file.name: read_notes(file, names=names) for file in files}


def evaluate(config: Config, sets: dict[str, LabelledNotes], *, alone: bool) -> dict[str, Any]:
    """Prints and returns a table a set."""
    policy = load_policy(config.llm.policy or None)
    names = (*policy.categories, DISTRESS)
    fast = FastStage.open(config.llm.classifier or None)
    first = Judge(policy, fast, None, calibration_of(config.llm.calibration, fast.version, "", policy))
    asked = _asked(config, fast) if config.llm.enabled else None
    result: dict[str, Any] = {}
    for name, found in sets.items():
        looks = looked(asked or first, found)
        arms = {
            "n-grams alone": arm(first, _ngrams(fast, found, names), found),
            "classifier": arm(first, [look.scores for look in looks], found),
        }
        if asked is not None and asked.llm is not None:
            rows = [n for n, look in enumerate(looks) if look.open or alone]
            labels = labels_of(asked.llm, [found.texts[n] for n in rows], say=console.print)
            said = dict(zip(rows, labels, strict=True))
            if alone:
                arms["language model"] = arm(first, labels, found)
            share = np.mean([look.open for look in looks])
            of_open = {n: row for n, row in said.items() if looks[n].open}
            arms[f"cascade ({share:.0%} asked)"] = arm(asked, fused(asked, looks, of_open), found)
        _show(name, found, arms)
        result[name] = {key: {"acted": a.acted._asdict(), **_plain(a.measures)} for key, a in arms.items()}
    return result


def _asked(config: Config, fast: FastStage) -> Judge | None:
    """The cascade, if the language model has a say in it."""
    policy = load_policy(config.llm.policy or None)
    version = model_version(model_folder(config.llm.model, config.llm_cache))
    found = calibration_of(config.llm.calibration, fast.version, version, policy)
    if (found is None or found.llm != version) and not set(policy.categories) - set(fast.heads):
        console.print(f"{version} was not calibrated with this classifier and policy: it has no say")
        return None
    return Judge(policy, fast, offline_stage(config.llm_access, say=console.print), found)


def _public(data: Path, split: str, only: tuple[str, ...], names: tuple[str, ...]) -> dict[str, LabelledNotes]:
    known = [source.name for source in SOURCES]
    if strange := set(only) - set(known):
        raise JobError(f"--set {min(strange)}: there is no such set; use one of {', '.join(known)}")
    parts = {s.name: read_source(data, s, split).over(names) for s in SOURCES if not only or s.name in only}
    every = {f"all {len(parts)} public sets": together(parts.values())} if len(parts) > 1 else {}
    return {**every, **parts}


def _ngrams(fast: FastStage, notes: LabelledNotes, names: tuple[str, ...]) -> list[dict[str, float]]:
    found = fast.ngrams_alone(notes.texts)
    return [{n: p for n, p in zip(fast.heads, row, strict=True) if n in names} for row in found.tolist()]


def _show(name: str, notes: LabelledNotes, arms: dict[str, Arm]) -> None:
    harmful, harmless = int(notes.harmful.sum()), int(notes.harmless.sum())
    rows: list[list[Any]] = []
    for category in dict.fromkeys(key for a in arms.values() for key in a.measures):
        for key, a in arms.items():
            if category in a.measures:
                rows.append([f"{category}: {key}", *_row(a.measures[category])])
    print_table(f"{name}: {len(notes.texts):,} notes, {harmful:,} harmful, {harmless:,} harmless", COLUMNS, rows)
    for key, a in arms.items():
        if key not in ("n-grams alone", "language model"):  # the thresholds are not theirs
            console.print(
                f"  the policy with {key}: acts on {a.acted.harmful:.1%} of the harmful and {a.acted.harmless:.1%} of "
                f"the harmless notes, blocks {a.acted.blocked:.1%} of these"
            )


def _row(found: Measure) -> list[Any]:
    return [found.harmful, found.harmless, *(f"{value:.3f}" for value in found[2:])]


def _plain(found: dict[str, Measure]) -> dict[str, Any]:
    return {("whole" if name == WHOLE else name): measure._asdict() for name, measure in found.items()}


if __name__ == "__main__":
    main()
