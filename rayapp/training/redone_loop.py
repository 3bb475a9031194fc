"""What every worker of a RedOne stage runs: TRL's trainer inside Ray Train, with timed checkpoints, resumable."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from rayapp.cores import usable_cores
from rayapp.redone.recipe import Recipe, Stage


@dataclass(frozen=True, slots=True)
class StageTask:
    """What the workers train: a recipe on the model in folder `base`, continuing from the LoRA adapter in folder
    `adapter` ('' starts a new one), on the pickled output of the stage's preparation in file `data`.

    `say` gets lines of progress, from rank 0.
    """

    recipe: Recipe
    base: str
    adapter: str
    data: str
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """What every stage's trainer is built from."""

    recipe: Recipe
    model: Any
    tokenizer: Any
    data: Any
    folder: Path
    callbacks: list[TrainerCallback]
    say: Callable[[str], None]


def _packed(setup: Setup) -> Trainer:
    from rayapp.redone.training.rows import tokens_of
    from rayapp.redone.training.trainer import packed_trainer

    rows = setup.data.train
    setup.say(f"{len(rows):,} rows of {setup.recipe.length} tokens, {tokens_of(rows):,} tokens")
    return packed_trainer(
        setup.recipe,
        setup.model,
        setup.tokenizer,
        rows=rows,
        held_out=setup.data.held_out,
        folder=setup.folder,
        callbacks=setup.callbacks,
    )


def _preference(setup: Setup) -> Trainer:
    from rayapp.redone.training.preference import preference_trainer

    setup.say(f"{len(setup.data):,} pairs")
    return preference_trainer(
        setup.recipe,
        setup.model,
        setup.tokenizer,
        pairs=setup.data,
        folder=setup.folder,
        callbacks=setup.callbacks,
    )


def _reward(setup: Setup) -> Trainer:
    from rayapp.redone.training.reward_trainer import reward_trainer

    setup.say(f"{len(setup.data):,} questions, {setup.recipe.reward.samples} answers to each")
    return reward_trainer(
        setup.recipe,
        setup.model,
        setup.tokenizer,
        questions=setup.data,
        folder=setup.folder,
        callbacks=setup.callbacks,
    )


# TRL's trainers are heavy imports: each is imported by its builder.
TRAINERS: dict[Stage, Callable[[Setup], Trainer]] = {
    "pretrain": _packed,
    "finetune": _packed,
    "prefer": _preference,
    "reward": _reward,
}


def train_stage(config: dict[str, Any]) -> None:
    """Train the stage of a recipe, from its newest checkpoint. `config`: the fields of a LoopTask."""
    task = StageTask(**config)
    recipe = task.recipe
    context = ray.train.get_context()
    say = task.say if context.get_world_rank() == 0 else _silent
    torch.set_num_threads(max(1, usable_cores() // context.get_world_size()))
    # Deterministic: a resumed run must end as one that was not interrupted.
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(task.base)
    model = open_model(recipe, task.base, task.adapter)
    if recipe.compile:
        compile_layers(model, on_cpu=not recipe.gpus, say=say)
    with Path(task.data).open("rb") as file:
        data = pickle.load(file)
    held_out = recipe.stage in ("pretrain", "finetune") and bool(data.held_out)
    callbacks: list[TrainerCallback] = [ByTheClock(recipe, held_out), ProgressLines(say), RayTrainReportCallback()]
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(recipe, model, tokenizer, data, Path(folder), callbacks, say)
        trainer = TRAINERS[recipe.stage](setup)
        trainer.remove_callback(PrinterCallback)
        trainer = prepare_trainer(trainer)
        with newest_checkpoint(say) as checkpoint:
            trainer.train(resume_from_checkpoint=checkpoint)


def _silent(_: str) -> None:
    """Workers other than the first report nothing."""


def open_model(recipe: Recipe, base: str, adapter: str) -> Any:
    """The base with its adapter (a new one unless `adapter` is a folder); in float32 where all weights are trained."""
    if recipe.method == "full":
        return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    from peft import LoraConfig, PeftModel, get_peft_model

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16 if recipe.bf16 else torch.float32)
    if adapter:
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    lora = recipe.lora
    settings = LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets, task_type="CAUSAL_LM"
    )
    return get_peft_model(model, settings)


def compile_layers(model: torch.nn.Module, *, on_cpu: bool, say: Callable[[str], None]) -> None:
    """Compile layer by layer: equal layers share one compilation, and parameter names (so checkpoints) stay the
    same."""
    if on_cpu and not any(map(shutil.which, ("g++", "clang++"))):
        say("compile: neither g++ nor clang++ is installed; training continues without compiling, slower")
        return
    layers = next(
        module
        for name, module in model.named_modules()
        if name.endswith("layers") and isinstance(module, torch.nn.ModuleList)
    )
    for layer in layers:
        layer.compile(dynamic=True)


@contextlib.contextmanager
def newest_checkpoint(say: Callable[[str], None]) -> Iterator[str | None]:
    """The folder of this run's newest checkpoint; None at the first start."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        yield None
        return
    with checkpoint.as_directory() as folder:
        say("resumed from a checkpoint")
        yield str(Path(folder) / RayTrainReportCallback.CHECKPOINT_NAME)


class ByTheClock(TrainerCallback):
    """Checkpoints and evaluations by seconds, not steps: a kill costs the same time on every machine."""

    def __init__(self, recipe: Recipe, held_out: bool) -> None:
        self.recipe = recipe
        self.held_out = held_out
        self.saved = self.evaluated = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        now, last = time.monotonic(), state.global_step >= state.max_steps
        save = last or now - self.saved >= self.recipe.checkpoint_s
        evaluate = self.held_out and (last or now - self.evaluated >= self.recipe.evaluate_s)
        save, evaluate = as_the_first_worker(save, evaluate, device=args.device)
        if save:
            control.should_save = True
            self.saved = now
        if evaluate:
            control.should_evaluate = True
            self.evaluated = now


def as_the_first_worker(*decisions: bool, device: torch.device) -> list[bool]:
    """Rank 0's decisions, on all ranks: clocks differ, and a rank that enters a collective alone deadlocks."""
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return list(decisions)
    decided = torch.tensor(decisions, dtype=torch.uint8, device=device)
    torch.distributed.broadcast(decided, src=0)
    return [bool(decision) for decision in decided.tolist()]


class ProgressLines(TrainerCallback):
    """A line of losses every fifteen seconds; the log history gets each step's duration in seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.last_line = self.began = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self.began = time.monotonic()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        logs = logs or {}
        if "loss" in logs:
            state.log_history[-1]["seconds"] = time.monotonic() - self.began
        if not state.is_world_process_zero or not ("eval_loss" in logs or time.monotonic() - self.last_line > 15):
            return
        self.last_line = time.monotonic()
        shown = ", ".join(
            f"{k} {logs[k]:.4f}" for k in ("loss", "eval_loss", "rewards/accuracies", "reward") if k in logs
        )
        self.say(f"step {state.global_step:,} of {state.max_steps:,}: {shown}")
