"""What the model's own answers are worth: questions of the fourth stage, and the tasks' metrics as rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.registry import task_of


class RewardQuestion(NamedTuple):
    """A question as token ids."""

    prompt: list[int]
    example: Example


def task_rewards(completions: Sequence[str], example: Sequence[str], **_: Any) -> list[float]:
    """By each answer's own task, 0 to 1. `example`: as JSON, as the trainer's data has it."""
    known = {text: msgspec.json.decode(text, type=Example) for text in set(example)}
    return [
        task_of(known[text].task).reward(completion, known[text])
        for completion, text in zip(completions, example, strict=True)
    ]
