"""Training arguments of a recipe, common to TRL's trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rayapp.redone.recipe import Recipe

NEVER = 10**9


def trainer_arguments(recipe: Recipe, folder: Path, count: int) -> dict[str, Any]:
    """Keys of transformers' TrainingArguments for one pass over `count` rows or pairs.

    A callback requests checkpoints, so there are none by steps.
    """
    arguments: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": recipe.micro_batch,
        "gradient_accumulation_steps": max(1, recipe.batch // (recipe.micro_batch * recipe.workers)),
        "num_train_epochs": 1,
        "learning_rate": recipe.lr,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, int(recipe.warmup * count / recipe.batch)),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "max_length": recipe.length,
        "bf16": recipe.bf16,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": NEVER,
        "save_total_limit": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not recipe.gpus,
        "dataloader_pin_memory": recipe.gpus,
    }
    if recipe.sharding == "fsdp":
        arguments["fsdp"] = True  # FSDP2, sharded by layer, with full checkpoints
    elif recipe.sharding == "deepspeed":
        arguments["deepspeed"] = recipe.deepspeed
    return arguments
