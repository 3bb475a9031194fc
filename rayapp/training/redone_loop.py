"""What every worker of a RedOne stage runs: TRL's trainer inside Ray Train, checkpoints by the clock, resumed from any kill."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import ray.train
import torch
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

from rayapp.cores import usable_cores
from rayapp.redone.recipe import Recipe


def train_loop(config: dict[str, Any]) -> None:
    """`config`: recipe, base (a model's folder), adapter (to go on with, or ''), data (what the stage prepared)."""
    recipe = msgspec.convert(config["recipe"], Recipe)
    world = ray.train.get_context().get_world_size()
    torch.set_num_threads(max(1, usable_cores() // world))
    # Every kernel the same way each time: a resumed run must end as the one that was not killed.
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(config["base"])
    model = open_model(recipe, config["base"], config["adapter"])
    if recipe.compile:
        compile_layers(model, on_cpu=not recipe.gpus)
    with Path(config["data"]).open("rb") as file:
        data = pickle.load(file)
    held_out = recipe.stage in ("pretrain", "finetune") and bool(data.held_out)
    callbacks: list[TrainerCallback] = [ByTheClock(recipe, held_out), Progress(), RayTrainReportCallback()]
    with tempfile.TemporaryDirectory() as folder:
        trainer: Any
        if recipe.stage == "prefer":
            from rayapp.redone.training.preference import preference_trainer

            trainer = preference_trainer(recipe, model, tokenizer, data, Path(folder), callbacks)
        elif recipe.stage == "reward":
            from rayapp.redone.training.reward_trainer import reward_trainer

            trainer = reward_trainer(recipe, model, tokenizer, data, Path(folder), callbacks)
        else:
            from rayapp.redone.training.trainer import packed_trainer

            trainer = packed_trainer(recipe, model, tokenizer, data.train, data.held_out, Path(folder), callbacks)
        trainer.remove_callback(PrinterCallback)
        trainer = prepare_trainer(trainer)
        with newest_checkpoint() as checkpoint:
            trainer.train(resume_from_checkpoint=checkpoint)


def open_model(recipe: Recipe, base: str, adapter: str) -> Any:
    """The base with its adapter, a new one where there is none yet; the whole model in float32 where all of it learns."""
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


def compile_layers(model: Any, on_cpu: bool) -> None:
    """Layer by layer: one is compiled, the others are like it. Their names stay, and with them the checkpoints'."""
    if on_cpu and not any(map(shutil.which, ("g++", "clang++"))):
        print("compile: there is no g++ or clang++ here; training goes on without compiling, slower", flush=True)
        return
    for layer in next(module for name, module in model.named_modules() if name.endswith("layers")):
        layer.compile(dynamic=True)


@contextlib.contextmanager
def newest_checkpoint() -> Iterator[str | None]:
    """This run's, if it was cut off."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        yield None
        return
    with checkpoint.as_directory() as folder:
        print("resumed from a checkpoint", flush=True)
        yield str(Path(folder) / RayTrainReportCallback.CHECKPOINT_NAME)


class ByTheClock(TrainerCallback):
    """Checkpoints and evaluations by seconds, not steps: what a kill costs is the same on every machine."""

    def __init__(self, recipe: Recipe, held_out: bool) -> None:
        self.recipe = recipe
        self.held_out = held_out
        self.saved = self.evaluated = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
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
    """Clocks differ by a little, and a worker that saves or evaluates alone waits for the others for ever."""
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return list(decisions)
    told = torch.tensor(decisions, dtype=torch.uint8, device=device)
    torch.distributed.broadcast(told, src=0)
    return [bool(one) for one in told.tolist()]


class Progress(TrainerCallback):
    """One line every fifteen seconds; what each step took stands beside its loss."""

    def __init__(self) -> None:
        self.told = self.began = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        logs = logs or {}
        if "loss" in logs:
            state.log_history[-1]["seconds"] = time.monotonic() - self.began
        if not state.is_world_process_zero or not ("eval_loss" in logs or time.monotonic() - self.told > 15):
            return
        self.told = time.monotonic()
        shown = ", ".join(
            f"{k} {logs[k]:.4f}" for k in ("loss", "eval_loss", "rewards/accuracies", "reward") if k in logs
        )
        print(f"  step {state.global_step:,} of {state.max_steps:,}: {shown}", flush=True)
