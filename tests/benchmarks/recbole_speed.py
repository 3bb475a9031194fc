"""Training speed and quality after equal time beside RecBole's SASRec: same data, hidden size, batch and threads.

    python -m venv recbole && recbole/bin/pip install torch recbole ...      # see docs/benchmarks/offline.md: it pins an old Ray
    python -m tests.benchmarks.recbole_speed --data amazon-beauty --recbole recbole/bin/python --seconds 240

Examples are (history, next item) pairs; both learn by the softmax over all items. Validation is the last event but one,
history items kept among the candidates, as RecBole's sequential models have it. The two run one after the other.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from rayapp.config import load_config
from rayapp.data.folder import DataFolder, item_rows, vocabulary_of
from rayapp.data.sequences import EventSequence, sequences_of, user_sequences
from rayapp.data.split import leave_one_out
from rayapp.redrec.evaluation.evaluate import all_item_vectors, evaluate, model_scorer
from rayapp.redrec.loss.negatives import NegativeSampler
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.training.batching import Batcher
from rayapp.redrec.training.trainer import TrainConfig, Trainer, scenario_items, target_counts
from rayapp.terminal import print_table

EXAMPLES = 2048  # a step


def ours(folder: DataFolder, content: np.ndarray, settings: TrainConfig, threads: int) -> list[dict[str, float]]:
    """One line an epoch: seconds of training, examples, validation."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    items, table = folder.items(), folder.interactions()
    vocabulary = vocabulary_of(table)
    sequences = sequences_of(user_sequences(table, vocabulary, item_rows(items)))
    train, validation = leave_one_out(leave_one_out(sequences, 1)[0], 1)
    train = [s for s in train if len(s.items) > 1]
    many, counts = len(items), target_counts(train, len(items))
    pools = scenario_items(train, many, len(vocabulary.scenarios))
    sampler = NegativeSampler(pools, counts, uniform=settings.negatives, in_batch=settings.in_batch, seed=0)
    table_IE = torch.cat([torch.from_numpy(content), torch.zeros(1, content.shape[1])])
    model = RedRec(settings.model, vocabulary, table_IE)
    trainer = Trainer(
        settings, model, sampler=sampler, batcher=Batcher(settings.batching, many, len(vocabulary.scenarios), counts)
    )
    examples = sum(min(settings.cuts, len(s.items) - 1) for s in train)
    seconds, done, epoch, found = 0.0, 0, 0, []
    while seconds < 60 * settings.minutes:
        begun = time.perf_counter()

        def on_step(_: float, begun: float = begun, before: float = seconds) -> bool:
            trainer.progress = min(1.0, (before + time.perf_counter() - begun) / (60 * settings.minutes))
            return True

        trainer.epoch(train, np.random.default_rng([0, epoch]), on_step)
        seconds += time.perf_counter() - begun
        done, epoch = done + examples, epoch + 1
        kept = evaluate(validation, model_scorer(model.user, all_item_vectors(model), validation))["kept"]
        found.append({"seconds": seconds, "examples": done, "hr@10": kept["hr@10"], "ndcg@10": kept["ndcg@10"]})
    return found


def write_atomic(sequences: list[EventSequence], folder: Path, name: str) -> None:
    """RecBole's format; the place in the sequence is the time, so both see the same order."""
    (folder / name).mkdir(parents=True)
    with (folder / name / f"{name}.inter").open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, sequence in enumerate(sequences):
            file.writelines(f"u{user}\ti{item}\t{place}\n" for place, item in enumerate(sequence.items))


def theirs(folder: DataFolder, python: Path, model: ModelConfig, seconds: float, threads: int) -> list[dict[str, Any]]:
    table = folder.interactions()
    sequences = sequences_of(user_sequences(table, vocabulary_of(table), item_rows(folder.items())))
    with tempfile.TemporaryDirectory() as place:
        write_atomic(sequences, Path(place), "log")
        given = {
            "path": place, "dataset": "log", "seconds": seconds, "hidden": model.width, "layers": model.layers,
            "length": model.length, "batch": EXAMPLES, "threads": threads,
        }  # fmt: skip
        script = Path(__file__).with_name("recbole_sasrec.py").resolve()
        command = [
            str(python),
            str(script),
            *(str(part) for key, value in given.items() for part in (f"--{key}", value)),
        ]
        told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=place).stdout
    return [json.loads(line) for line in told.splitlines() if line.startswith('{"seconds"')]


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="A data folder.")
@click.option(
    "--recbole", required=True, type=click.Path(path_type=Path, exists=True), help="Python of its environment."
)
@click.option("--seconds", default=240.0, help="Of training, each.")
@click.option("--hidden", default=64)
@click.option("--threads", default=2)
@click.option("--config", default="", help="As of any job.")
def main(data: Path, recbole: Path, seconds: float, hidden: int, threads: int, config: str) -> None:
    from rayapp.content.cached import encoded

    folder = DataFolder(data)
    items = folder.items()
    model = ModelConfig(dim=hidden, width=hidden, interests=1, length=50)
    settings = TrainConfig(
        model=model, window=1, cuts=16, batch=EXAMPLES // 16, minutes=seconds / 60, negatives=len(items), in_batch=0
    )
    content = encoded(settings.encoder, items, cache=load_config(config or None).encoder_cache, say=print)
    found = {
        "RecBole SASRec": theirs(folder, recbole.absolute(), model, seconds, threads),
        "RED-Rec": ours(folder, content, settings, threads),
    }
    speed = {label: lines[-1]["examples"] / lines[-1]["seconds"] for label, lines in found.items()}
    rows = []
    for label, lines in found.items():
        in_time = [line for line in lines if line["seconds"] <= 1.1 * seconds]
        last = in_time[-1] if in_time else lines[0]  # an epoch may take longer than that
        ratio = speed[label] / speed["RecBole SASRec"]
        rows.append(
            [label, f"{speed[label]:,.0f}", f"{ratio:.2f}", f"{last['seconds']:.0f}", last["hr@10"], last["ndcg@10"]]
        )
    columns = ["", "examples/s", "ratio", "after seconds", "HR@10, validation", "NDCG@10"]
    print_table(f"{data.name}, hidden {hidden}, {EXAMPLES} examples a step, {threads} threads", columns, rows)


if __name__ == "__main__":
    main()
