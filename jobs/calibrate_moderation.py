"""Hold the model's probabilities against labelled notes: one temperature, one shift a category, written as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from jobs._job import console, job, print_table
from jobs._judging import judge_labels, offline_judge
from rayapp.config import Config
from rayapp.redone.calibration import Labelled, fit
from rayapp.redone.label_sets import SETS, read_split


@job("Fit the moderation labels of a model to labelled notes (dev splits); writes a calibration file.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with moderation/ and tweeteval/.")
@click.option("--notes", default=600, type=click.IntRange(50), help="Notes of each set, drawn at random.")
@click.option("--seed", default=0, help="Of the draw.")
@click.option("--to", type=click.Path(path_type=Path), help="Default: moderation_calibration.json in the state folder.")
def main(config: Config, data: Path, notes: int, seed: int, to: Path | None) -> dict[str, Any]:
    drawn = []
    for labelled in SETS:
        texts, truths = read_split(data, labelled, "dev")
        rows = np.random.default_rng(seed).permutation(len(texts))[:notes]
        drawn += [(texts[r], truths[r], labelled.possible) for r in rows]
    judge = offline_judge(config)
    found = judge_labels(judge, [text for text, _, _ in drawn])
    calibration = fit(
        judge.model_version,
        judge.policy,
        [Labelled(labels, truth, possible) for labels, (_, truth, possible) in zip(found, drawn, strict=True)],
    )
    target = to or config.state_path / "moderation_calibration.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n")
    rows = [[name, name in calibration.calibrated, shift] for name, shift in calibration.shifts.items()]
    title = f"{calibration.model_version}: temperature {calibration.temperature:.3f}, {len(drawn):,} notes"
    print_table(title, ["category", "calibrated", "shift"], rows)
    console.print(f"written to {target}; name it in the config: llm: {{calibration: {target}}}")
    return msgspec.to_builtins(calibration)


if __name__ == "__main__":
    main()
