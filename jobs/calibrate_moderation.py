"""Calibrate moderation on labelled notes: what classifier and language model are worth together, and thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.moderation.calibration import OPEN, RATES, Calibration, Curve, described, load_calibration, uncalibrated
from rayapp.moderation.fast.mixture import ORDINARY, held_out
from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import DISTRESS, LabelledNotes, together
from rayapp.moderation.fast.stage import FastStage
from rayapp.moderation.judge import UNKNOWN, Judge
from rayapp.moderation.offline import labels_of, offline_stage
from rayapp.moderation.operating_points import clean, curves, threshold_of_distress, weights_of_models
from rayapp.moderation.policy import load_policy
from rayapp.terminal import console, print_table


@job("Calibrate moderation on labelled notes; writes thresholds for every false-positive rate as a calibration file.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder with moderation/ and sns/ of the public sets (dev splits)."
)
@click.option(
    "--notes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Own labelled notes that nothing was trained on (Parquet, CSV or JSON lines with text and label; repeatable).",
)
@click.option(
    "--trained-on",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Own notes that jobs.train_moderation was given: its held-out tenth is used (repeatable).",
)
@click.option("--seed", default=0, help="Seed of the draw from the public sets, as in jobs.train_moderation.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Output file; default: moderation_calibration.json in the state folder.",
)
def main(
    config: Config,
    *,
    data: Path | None,
    notes: tuple[Path, ...],
    trained_on: tuple[Path, ...],
    seed: int,
    to: Path | None,
) -> dict[str, Any]:
    if data is None and not notes:
        raise JobError("there is nothing to calibrate on; give --data FOLDER or --notes FILE")
    policy = load_policy(config.llm.policy or None)
    names = tuple(policy.categories)
    own = [read_notes(file, names=(*names, DISTRESS)) for file in notes]
    public = [held_out(data, trained_on, seed=seed).over((*names, DISTRESS))] if data is not None else []
    labelled = together([*public, *own])
    fast = FastStage.open(config.llm.classifier or None)
    console.print(f"{len(labelled.texts):,} notes, {int(clean(labelled).sum()):,} of them harmless in every category")
    first = fast.matrix(labelled.texts)
    scores = np.stack(
        [
            first[:, fast.heads.index(n)] if n in fast.heads else np.full(len(first), UNKNOWN)
            for n in (*names, DISTRESS)
        ],
        1,
    )
    counts = _counts(labelled)
    judged = Judged(fast, labelled, scores, counts)
    distress = labelled.labels[:, -1]
    alone = curves(scores, labelled, names, counts)
    found = Calibration(
        fast.version,
        "",
        described(policy),
        {},
        alone,
        threshold_of_distress(scores[:, -1], distress) if (distress > 0).any() else _known(fast, config).distress,
        {name: curve.at(OPEN) for name, curve in alone.items()},
        len(labelled.texts),
        int(clean(labelled).sum()),
    )
    if config.llm.enabled:
        found = _with_llm(config, judged, found)
    target = to or config.state_path / "moderation_calibration.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    _print(found, names)
    console.print(f"written to {target}; set it in the configuration: llm: {{calibration: {target}}}")
    return msgspec.to_builtins(found)


class Judged(NamedTuple):
    """`scores` [N, C]: the classifier's, of the policy's categories and distress; `counts` [N]: see `curves`."""

    fast: FastStage
    notes: LabelledNotes
    scores: np.ndarray
    counts: np.ndarray


def _with_llm(config: Config, judged: Judged, alone: Calibration) -> Calibration:
    """The language model is asked about what the classifier leaves open, as in serving."""
    fast, labelled, scores, counts = judged
    stage = offline_stage(config.llm_access, say=console.print)
    names = tuple(stage.moderation.policy.categories)
    judge = Judge(stage.moderation.policy, fast, stage, msgspec.structs.replace(alone, llm=stage.version))
    rows = [dict(zip((*names, DISTRESS), row, strict=True)) for row in scores.tolist()]
    still_open = np.array([judge.is_open(row) for row in rows])
    console.print(f"{int(still_open.sum()):,} notes are open: {stage.version} is asked")
    of_open = labelled.where(still_open)
    said = labels_of(stage, of_open.texts, say=console.print)
    said_NC = np.array([[labels[name] for name in names] for labels in said])
    weights = weights_of_models(scores[still_open], said_NC, of_open, names)
    together_NC = scores.copy()
    for column, name in enumerate(names):
        if name in weights:
            pairs = zip(scores[still_open, column], said_NC[:, column], strict=True)
            together_NC[still_open, column] = [weights[name].probability(*pair) for pair in pairs]
    return msgspec.structs.replace(
        alone, llm=stage.version, weights=weights, curves=curves(together_NC, labelled, names, counts)
    )


def _known(fast: FastStage, config: Config) -> Calibration:
    policy = load_policy(config.llm.policy or None)
    return load_calibration(None, fast.version, "", policy) or uncalibrated(fast.version, "", policy)


def _counts(labelled: LabelledNotes) -> np.ndarray:
    """How much a harmless note counts: ordinary posts as much as all that only look harmful."""
    ordinary = labelled.sources == ORDINARY
    weight = np.ones(len(labelled.texts))
    for part in (ordinary, ~ordinary):
        if (part & clean(labelled)).any():
            weight[part] /= (part & clean(labelled)).sum()
    return weight


def _print(found: Calibration, names: tuple[str, ...]) -> None:
    def row(name: str, curve: Curve | None) -> list[Any]:
        if curve is None:
            return [name, "not calibrated: too few notes", *[""] * len(RATES)]
        return [name, "weak" if curve.weak else "", *map(_percent, curve.recall)]

    columns = ["category", "", *(f"recall at {rate:.1%}" for rate in RATES)]
    print_table(
        f"{found.fast} {found.llm}: {found.notes:,} notes; recall by false-positive rate of all categories together",
        columns,
        [row(name, found.curves.get(name)) for name in names],
    )
    if any(curve.weak for curve in found.curves.values()):
        console.print("  a weak category finds too little: it acts no further than the policy's `uncalibrated` says")
    for name, weights in found.weights.items():
        console.print(f"  {name}: {weights.fast:.2f} x classifier + {weights.llm:.2f} x language model")


def _percent(share: float) -> str:
    return f"{share:.1%}"


if __name__ == "__main__":
    main()
