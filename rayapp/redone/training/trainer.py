"""TRL's supervised trainer over packed rows: every learned token has a weight, and only learned tokens reach the head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from rayapp.redone.training.packing import IGNORED, Row
from rayapp.redone.training.recipe import Recipe
from rayapp.redone.training.rows import Collator, as_dataset, learned_weight, tokens_of


class PackedTrainer(SFTTrainer):
    """`weight_of_a_row`: see `learned_weight`."""

    weight_of_a_row = 1.0

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted negative log-likelihood. Most tokens of a task's row are question: their logits are never made."""
        labels, weights = inputs.pop("labels")[:, 1:], inputs.pop("weights")[:, 1:]
        learned = labels != IGNORED
        places = learned.any(0).nonzero().squeeze(1)
        logits = model(**inputs, use_cache=False, logits_to_keep=places).logits
        chosen, weights = labels[:, places], (weights * learned)[:, places]
        each = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), chosen.flatten(), ignore_index=IGNORED, reduction="none"
        )
        loss = (each * weights.flatten()).sum() / (self.weight_of_a_row * len(labels))
        if num_items_in_batch is not None:  # the Trainer leaves the mean over accumulated batches to the loss
            loss = loss / self.current_gradient_accumulation_steps
        return (loss, {"logits": logits}) if return_outputs else loss


def arguments(recipe: Recipe, folder: Path, rows: int, save_steps: int) -> SFTConfig:
    """`rows`: of the training set. One pass."""
    per_step = max(1, recipe.batch // (recipe.micro_batch * recipe.workers))
    sharding: dict[str, Any] = {}
    if recipe.sharding == "fsdp":
        sharding = {"fsdp": "full_shard auto_wrap"}
    elif recipe.sharding == "deepspeed":
        sharding = {"deepspeed": recipe.deepspeed}
    return SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.micro_batch,
        per_device_eval_batch_size=recipe.micro_batch,
        gradient_accumulation_steps=per_step,
        num_train_epochs=1,
        learning_rate=recipe.lr,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, int(recipe.warmup * rows / recipe.batch)),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.bf16,
        gradient_checkpointing=recipe.gradient_checkpointing,
        seed=recipe.seed,
        data_seed=recipe.seed,
        logging_steps=1,
        save_strategy="steps",
        save_steps=save_steps,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=recipe.length,
        use_cpu=not recipe.gpus,
        dataloader_pin_memory=recipe.gpus,
        **sharding,
    )


def packed_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    folder: Path,
    callbacks: list[TrainerCallback],
    save_steps: int,
) -> PackedTrainer:
    """`model`: already with its adapter where the recipe asks for one."""
    trainer = PackedTrainer(
        model=model,
        args=arguments(recipe, folder, len(rows), save_steps),
        train_dataset=as_dataset(rows),
        eval_dataset=as_dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        data_collator=Collator(tokenizer.pad_token_id or 0),
        callbacks=callbacks,
    )
    trainer.weight_of_a_row = learned_weight(rows)
    print(f"{len(rows):,} rows of {recipe.length} tokens, {tokens_of(rows):,} tokens", flush=True)
    return trainer
