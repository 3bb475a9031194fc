"""Tokens and examples a second of stage 2: our job, and a bare TRL script on the same examples, packed by TRL and padded.

Each arm is a process of its own, one after another, several rounds; a step's time is the median over a run's steps.
TRL's own packing lets examples of a row attend to each other where there is no flash attention (a CPU): its speed is
the reference here, not its result.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from rayapp.config import load_config
from rayapp.cores import usable_cores
from rayapp.llm.base_model import model_folder
from rayapp.redone.recipe import Recipe, load_recipe
from rayapp.redone.tasks.example import Example, read_examples, write_examples
from rayapp.redone.training.chat import ChatTokens
from rayapp.redone.training.packing import IGNORED
from rayapp.terminal import print_table

ARMS = {
    "our job": "as the recipe says, without compiling",
    "bare TRL, packed": "SFTTrainer, packing=True",
    "bare TRL, padded": "SFTTrainer, packing=False",
}


def bare(recipe: Recipe, base: str, examples: list[Example], packing: bool) -> dict[str, float]:
    """TRL alone: rates of real tokens (no padding) and of examples."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(usable_cores())
    tokenizer = AutoTokenizer.from_pretrained(base)
    chat = ChatTokens(tokenizer)
    rows = []
    for example in examples:
        piece = chat.piece(example, recipe.question_tokens, recipe.answer_tokens)
        learned = [0] * len(piece.prefix) + [int(label != IGNORED) for label in piece.labels]
        rows.append({"input_ids": [*piece.prefix, *piece.ids], "completion_mask": learned})
    seconds: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.monotonic() - self.began)

    batch = recipe.batch
    if not packing:  # about as many tokens a step as the packed arms have
        mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
        batch = max(1, round(recipe.batch * recipe.length / mean))
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16),
            args=SFTConfig(
                output_dir=folder,
                per_device_train_batch_size=batch,
                max_length=recipe.length,
                packing=packing,
                completion_only_loss=True,
                num_train_epochs=1,
                learning_rate=recipe.lr,
                bf16=True,
                gradient_checkpointing=False,
                use_cpu=not recipe.gpus,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=LoraConfig(
                r=recipe.lora.r, lora_alpha=recipe.lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            callbacks=[Clock()],
        )
        trainer.train()
    steps = len(seconds)
    each = statistics.median(seconds)
    tokens = sum(min(len(row["input_ids"]), recipe.length) for row in rows)
    return {"tokens": tokens / steps / each, "examples": len(rows) / steps / each}


def ours(config: str, recipe: Path, data: Path, folder: Path) -> dict[str, float]:
    """The job as a user starts it."""
    told = ["--data", str(data), "--recipe", str(recipe), "--output", str(folder)]
    command = [sys.executable, "-m", "jobs.redone_finetune", *(["--config", config] if config else []), *told]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    about = json.loads((folder / "run.json").read_text())
    trained, seconds = about["data"]["trained"], about["steps"] * about["step_seconds"]
    return {"tokens": trained["tokens"] / seconds, "examples": trained["taken"] / seconds}


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--config", default="", help="As of any job.")
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of the public sets.")
@click.option("--recipe", default="jobs/configs/redone_finetune.yaml", type=click.Path(path_type=Path))
@click.option("--tokens", default=24_000, help="Of each arm in each round.")
@click.option("--rounds", default=3)
@click.option("--arm", type=click.Choice(list(ARMS)), hidden=True)
@click.option("--examples", "file", type=click.Path(path_type=Path), hidden=True)
def main(config: str, data: Path, recipe: Path, tokens: int, rounds: int, arm: str | None, file: Path | None) -> None:
    chosen = load_recipe(recipe, "finetune", {"tokens": tokens})
    base = model_folder(chosen.model, load_config(config or None).state_path / "llm")
    if arm and file:
        print(json.dumps(bare(chosen, base, list(read_examples(file)), arm.endswith(" packed"))))
        return
    from transformers import AutoTokenizer

    from rayapp.redone.corpus.source import source_examples

    chat = ChatTokens(AutoTokenizer.from_pretrained(base))
    sources = [source for source in chosen.sources if source.kind == "task"]
    streams = [source_examples(source, data, "train", 0) for source in sources]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    for number in range(rounds):
        examples: list[Example] = []
        used = 0
        while used < tokens:
            examples += [next(stream) for stream in streams]
            used += sum(len(chat.prompt(e, chosen.question_tokens)) for e in examples[-len(streams) :])
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_examples(folder / "examples.jsonl", examples)
            own = msgspec.to_builtins(chosen) | {
                "sources": [{"name": "all", "kind": "examples", "path": str(folder / "examples.jsonl")}],
                "compile": False,
                "evaluate_rows": 0,
                "seed": number,
            }
            (folder / "recipe.yaml").write_bytes(msgspec.yaml.encode(own))
            found["our job"].append(ours(config, folder / "recipe.yaml", data, folder / "out"))
            for name in ARMS:
                if name == "our job":
                    continue
                command = [sys.executable, "-m", "tests.benchmarks.training_speed", *sys.argv[1:], "--arm", name]
                told = subprocess.run(
                    [*command, "--examples", str(folder / "examples.jsonl")], check=True, stdout=subprocess.PIPE
                ).stdout
                found[name].append(json.loads(told.decode().strip().rpartition("\n")[2]))
        print(f"round {number + 1} of {rounds}: {json.dumps({k: v[-1] for k, v in found.items()})}", flush=True)
    rows = []
    for name, about in ARMS.items():
        rates = [statistics.median(one[what] for one in found[name]) for what in ("tokens", "examples")]
        ratios = [
            statistics.median(
                mine[what] / other[what] for mine, other in zip(found["our job"], found[name], strict=True)
            )
            for what in ("tokens", "examples")
        ]
        rows.append([f"{name} ({about})", rates[0], ratios[0], rates[1], ratios[1]])
    columns = ["", "tokens/s", "ours over it", "examples/s", "ours over it"]
    print_table(f"{chosen.method}, rows of {chosen.length}, {rounds} rounds", columns, rows)


if __name__ == "__main__":
    main()
