"""Train the fast stage of moderation on public sets and own labelled notes, and measure it on held-out ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.moderation.fast.classifier import SETTINGS, FastClassifier, Fusion, Settings, unread
from rayapp.moderation.fast.measures import Measure, measures
from rayapp.moderation.fast.mixture import Mixture, mixture, weights_of, written
from rayapp.moderation.fast.own_notes import read_notes
from rayapp.moderation.fast.sources import HEADS, SOURCES
from rayapp.moderation.fast.training import EncoderTraining, train_encoder, train_ngrams, weigh
from rayapp.terminal import console, print_table

UNWEIGHED = Fusion(1.0, 1.0, 0.0)
COLUMNS = ["", "harmful", "harmless", "PR-AUC", "recall at 1%", "recall at 5%"]


@job("Train the fast classifier of moderation; prints PR-AUC and recall.")
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
    own = [written(file) for file in notes]
    sets = mixture(data, own, left_out=frozenset(leave_out), seed=seed)
    console.print(f"{len(sets.train.texts):,} notes to train on, {len(sets.dev.texts):,} held out to weigh the parts")
    made_by = _command(notes, leave_out, epochs, seed)
    folder = to or config.state_path / "moderation_fast"
    torch.set_num_threads(config.cpus or torch.get_num_threads())
    parts = _trained(folder, made_by, sets, EncoderTraining(epochs=epochs, seed=seed))
    dev = sets.dev
    readable = ~unread(dev.texts)
    encoder_NC, ngrams_NC = parts.parts(dev.texts)
    fusion = weigh(encoder_NC[readable], ngrams_NC[readable], dev.where(readable))
    other = weigh(encoder_NC[~readable], ngrams_NC[~readable], dev.where(~readable), ngrams_alone=True)
    kept = {name: fusion.get(name, UNWEIGHED) for name in HEADS}
    classifier = FastClassifier(parts.encoder, parts.ngrams_FC, parts.bias_C, Settings(HEADS, kept, made_by, other))
    classifier.save(folder)
    console.print(f"written to {folder}")
    result: dict[str, Any] = {}
    for name, found in {"test splits": sets.test, **checks}.items():
        result[name] = measures(classifier.probabilities(found.texts), found)
        print_table(
            f"{name}: {len(found.texts):,} notes", COLUMNS, [[key, *_row(m)] for key, m in result[name].items()]
        )
    return {name: {key: m._asdict() for key, m in by_category.items()} for name, by_category in result.items()}


def _command(notes: tuple[Path, ...], leave_out: tuple[str, ...], epochs: float, seed: int) -> str:
    """What makes this classifier, without where anything lies."""
    named = [f"--notes {file.name}" for file in notes] + [f"--leave-out {name}" for name in leave_out]
    return " ".join(["python -m jobs.train_moderation --data DATA", *named, f"--epochs {epochs:g} --seed {seed}"])


def _trained(folder: Path, made_by: str, sets: Mixture, settings: EncoderTraining) -> FastClassifier:
    """Both parts, not weighed yet; those that this command has left in the folder, if it was interrupted since."""
    if (folder / SETTINGS).is_file():
        found = FastClassifier.load(folder)
        if found.settings.made_by == made_by:
            console.print(f"{folder} holds what this command trained: going on with it")
            return found
    ngrams, bias = train_ngrams(sets.train, weights_of(sets.train), say=console.print)
    readable = sets.train.where(~unread(sets.train.texts))  # the encoder knows English alone
    encoder = train_encoder(readable, weights_of(readable), settings, say=console.print)
    parts = FastClassifier(encoder, ngrams, bias, Settings(HEADS, dict.fromkeys(HEADS, UNWEIGHED), made_by))
    parts.save(folder)
    return parts


def _row(found: Measure) -> list[Any]:
    return [found.harmful, found.harmless, *(f"{value:.3f}" for value in found[2:])]


if __name__ == "__main__":
    main()
