"""Stage 4: reinforcement learning with the tasks' metrics as rewards (RedOne 2.0, arXiv 2511.07070).

TRL's GRPO trainer with DAPO's loss (arXiv 2503.14476): group-relative advantages,
a token-level loss, a higher upper clip, no loss for truncated answers, and no
reference model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from rayapp.redone.recipe import Recipe
from rayapp.redone.training.arguments import trainer_arguments
from rayapp.redone.training.rewards import RewardQuestion, task_rewards


class _TokenizedGRPOTrainer(GRPOTrainer):
    """For prompts that are tokenised already, identically to evaluation and serving."""

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[Any], None, dict[str, Any]]:
        return prompts, None, {}


def reward_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    *,
    questions: Sequence[RewardQuestion],
    folder: Path,
    callbacks: list[TrainerCallback],
) -> GRPOTrainer:
    """`model`: with its adapter, if the recipe asks for one."""
    reward = recipe.reward
    common = trainer_arguments(recipe, folder, len(questions) * reward.samples)
    del common["max_length"]  # GRPO limits prompt and completion separately
    arguments = GRPOConfig(
        num_generations=reward.samples,
        temperature=reward.temperature,
        max_completion_length=reward.answer_tokens,
        loss_type="dapo",
        epsilon=reward.low,
        epsilon_high=reward.high,
        beta=0.0,
        mask_truncated_completions=reward.mask_truncated,
        use_vllm=reward.vllm > 0,
        vllm_gpu_memory_utilization=reward.vllm or 0.3,
        **common,
    )
    return _TokenizedGRPOTrainer(
        model=model,
        reward_funcs=[task_rewards],  # pyright: ignore[reportArgumentType] - TRL types completions as messages only
        args=arguments,
        train_dataset=Dataset.from_dict(
            {
                "prompt": [question.prompt for question in questions],
                "example": [msgspec.json.encode(question.example).decode() for question in questions],
            }
        ),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
