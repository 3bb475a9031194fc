"""Train the fast stage of moderation on public sets and own labelled notes, and measure it on held-out ones."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.moderation.fast.classifier import FastClassifier, Fusion, Settings
from rayapp.moderation.fast.measures import Measure, measures
from rayapp.moderation.fast.mixture import WRITTEN, mixture, weights_of
from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import CATEGORIES, SOURCES, LabelledNotes
from rayapp.moderation.fast.training import EncoderTraining, train_encoder, train_ngrams, weigh
from rayapp.terminal import console, print_table

COLUMNS = ["", "harmful", "harmless", "PR-AUC", "recall at 1%", "recall at 5%"]


@job("Train the fast classifier of moderation (the moderator does not ask it yet); prints PR-AUC and recall.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with moderation/ and sns/ of the public sets.",
)
@click.option(
    "--notes",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Own labelled notes to train on (Parquet, CSV or JSON lines with text and label; repeatable).",
)
@click.option(
    "--check",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Own labelled notes to measure on, and nothing else (repeatable).",
)
@click.option("--leave-out", multiple=True, help="Public set that nothing is trained on (repeatable).")
@click.option(
    "--epochs", default=1.5, type=click.FloatRange(0, min_open=True), help="Passes of the encoder's training."
)
@click.option("--seed", default=0, help="Seed of draws and weights.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Folder for the result; default: moderation_fast in the state."
)
def main(
    config: Config,
    *,
    data: Path,
    notes: tuple[Path, ...],
    check: tuple[Path, ...],
    leave_out: tuple[str, ...],
    epochs: float,
    seed: int,
    to: Path | None,
) -> dict[str, Any]:
    known = [source.name for source in SOURCES]
    if strange := set(leave_out) - set(known):
        raise JobError(f"--leave-out {min(strange)}: there is no such set; use one of {', '.join(known)}")
    checks = {file.name: read_notes(file) for file in check}  # before hours of work
    own = [_written(read_notes(file)) for file in notes]
    sets = mixture(data, own, left_out=frozenset(leave_out), seed=seed)
    console.print(f"{len(sets.train.texts):,} notes to train on, {len(sets.dev.texts):,} held out to weigh the parts")
    torch.set_num_threads(config.cpus or torch.get_num_threads())
    ngrams, bias = train_ngrams(sets.train, weights_of(sets.train), say=console.print)
    readable = sets.train.where(~chinese(sets.train.texts))  # the encoder knows English alone
    encoder = train_encoder(
        readable, weights_of(readable), EncoderTraining(epochs=epochs, seed=seed), say=console.print
    )
    made_by = shlex.join(["python", "-m", "jobs.train_moderation", *sys.argv[1:]])
    parts = FastClassifier(encoder, ngrams, bias, Settings(CATEGORIES, dict.fromkeys(CATEGORIES, Fusion(1, 1, 0)), ""))
    fusion = weigh(*parts.parts(sets.dev.texts), sets.dev, np.ones(len(sets.dev.texts)))
    classifier = FastClassifier(encoder, ngrams, bias, Settings(CATEGORIES, fusion, made_by))
    folder = to or config.state_path / "moderation_fast"
    classifier.save(folder)
    console.print(f"written to {folder}")
    result: dict[str, Any] = {}
    for name, found in {"test splits": sets.test, **checks}.items():
        result[name] = measures(classifier.probabilities(found.texts), found)
        print_table(
            f"{name}: {len(found.texts):,} notes", COLUMNS, [[key, *_row(m)] for key, m in result[name].items()]
        )
    return {name: {key: m._asdict() for key, m in by_category.items()} for name, by_category in result.items()}


def _written(notes: LabelledNotes) -> LabelledNotes:
    return notes._replace(sources=np.full(len(notes.texts), WRITTEN, dtype=object))


def chinese(texts: list[str]) -> np.ndarray:
    """[N]: more than two Chinese characters."""
    return np.array([sum("\u4e00" <= c <= "\u9fff" for c in text) > 2 for text in texts])


def _row(found: Measure) -> list[Any]:
    return [found.harmful, found.harmless, *(f"{value:.3f}" for value in found[2:])]


if __name__ == "__main__":
    main()
