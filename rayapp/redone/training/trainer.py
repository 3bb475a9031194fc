"""TRL's supervised trainer over packed rows: every learned token has a weight, and only learned tokens reach the
head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from rayapp.redone.recipe import Recipe
from rayapp.redone.training.arguments import trainer_arguments
from rayapp.redone.training.packing import IGNORED, PackedRow
from rayapp.redone.training.prefix_attention import NAME
from rayapp.redone.training.rows import OPEN, as_dataset, collated, learned_weight, token_losses


class PackedTrainer(SFTTrainer):
    """`weight_of_a_row`: see `learned_weight`."""

    weight_of_a_row = 1.0

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted negative log-likelihood; logits are computed only at labels, because most tokens are question."""
        rows = inputs.pop("rows")
        labels, weights = inputs.pop("labels")[0, 1:], inputs.pop("weights")[0, 1:]
        open_ = inputs.pop(OPEN)
        places = (labels != IGNORED).nonzero().squeeze(1)
        logits = model(**inputs, use_cache=False, logits_to_keep=places).logits
        each = token_losses(logits[0], labels, places, open_)
        loss = (each * weights[places]).sum() / (self.weight_of_a_row * rows)
        if num_items_in_batch is not None:  # the Trainer leaves the mean over accumulated batches to the loss
            loss = loss / self.current_gradient_accumulation_steps
        return (loss, {"logits": logits}) if return_outputs else loss


def packed_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    *,
    rows: Sequence[PackedRow],
    held_out: Sequence[PackedRow],
    folder: Path,
    callbacks: list[TrainerCallback],
) -> PackedTrainer:
    """`model`: with its adapter, if the recipe asks for one."""
    (model.get_base_model() if hasattr(model, "get_base_model") else model).set_attn_implementation(NAME)
    trainer = PackedTrainer(
        model=model,
        args=SFTConfig(
            per_device_eval_batch_size=1,
            remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True},
            **trainer_arguments(recipe, folder, len(rows)),
        ),
        train_dataset=as_dataset(rows),
        eval_dataset=as_dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        data_collator=collated,
        callbacks=callbacks,
    )
    trainer.weight_of_a_row = learned_weight(rows)
    return trainer
