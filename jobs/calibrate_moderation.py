"""Calibrate a model's moderation probabilities on labelled notes: one temperature and a shift per category, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from rayapp.cli.job import job
from rayapp.config import Config
from rayapp.moderation.calibration import Labelled, fit, prevalence_weights
from rayapp.moderation.label_sets import SETS, read_split
from rayapp.moderation.offline import judge_labels, offline_judge
from rayapp.moderation.operating_points import operating_points
from rayapp.terminal import console, print_table


@job("Calibrate a model's moderation probabilities on labelled notes (dev splits); writes a calibration file.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with moderation/ and tweeteval/.")
@click.option("--notes", default=600, type=click.IntRange(50), help="Number of notes drawn at random from each set.")
@click.option(
    "--prevalence",
    default=0.05,
    type=click.FloatRange(0, 0.3, min_open=True),
    help="Prevalence of a category in the network's notes, for which thresholds are valid.",
)
@click.option("--seed", default=0, help="Seed of the draw.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Output file; default: moderation_calibration.json in the state folder.",
)
def main(config: Config, *, data: Path, notes: int, prevalence: float, seed: int, to: Path | None) -> dict[str, Any]:
    drawn = []
    for labelled in SETS:
        texts, truths = read_split(data, labelled, "dev")
        rows = np.random.default_rng(seed).permutation(len(texts))[:notes]
        weights = prevalence_weights([truths[r] for r in rows], prevalence)
        drawn += [(texts[r], truths[r], labelled.possible, w) for r, w in zip(rows, weights, strict=True)]
    judge = offline_judge(config.llm_access, say=console.print)
    probabilities = judge_labels(judge, [text for text, *_ in drawn], say=console.print)
    labelled_notes = [Labelled(labels, *about) for labels, (_, *about) in zip(probabilities, drawn, strict=True)]
    calibration = fit(judge.model_version, judge.policy, labelled_notes, prevalence)
    target = to or config.state_path / "moderation_calibration.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    rows = [[name, name in calibration.calibrated, shift] for name, shift in calibration.shifts.items()]
    title = f"{calibration.model_version}: temperature {calibration.temperature:.3f}, {len(drawn):,} notes"
    print_table(title, ["category", "calibrated", "shift"], rows)
    points = operating_points(calibration, labelled_notes)
    columns = ["threshold", "recall", "false-positive rate", "precision"]
    print_table(
        f"at a prevalence of 1 in {1 / prevalence:.0f} notes",
        columns,
        [[f"{n:g}", *map(_percent, shares)] for n, *shares in points],
    )
    console.print(f"written to {target}; set it in the configuration: llm: {{calibration: {target}}}")
    return msgspec.to_builtins(calibration) | {"limits": [point._asdict() for point in points]}


def _percent(share: float) -> str:
    return f"{share:.1%}"


if __name__ == "__main__":
    main()
