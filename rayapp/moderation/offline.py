"""The language model's stage on an engine of its own, for jobs that ask about many notes: no server, progress shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rayapp.errors import UserError
from rayapp.llm.base_model import PACKAGED, TRAINED
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.settings import LlmAccess
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.policy import load_policy

Say = Callable[[str], None]
AT_ONCE = 512
PROGRESS_S = 15.0


class EngineMissing(UserError):
    """Judging needs an engine of its own, and vLLM is not installed."""


def offline_stage(llm: LlmAccess, model: str | None = None, *, say: Say) -> LlmStage:
    """The configured model or another one, asked with the configured policy. Raises UserError."""
    name = model or llm.settings.model
    if name not in (PACKAGED, TRAINED) and not Path(name).is_dir():
        say(f"{name} is taken from the Hugging Face hub")
    try:
        found = LanguageModel.offline(llm, model)
    except ImportError as error:
        raise EngineMissing(f"vLLM is not installed ({error}); install rayapp with its cpu or gpu extra") from None
    return LlmStage.of(found, load_policy(llm.settings.policy or None), llm.settings)


def labels_of(stage: LlmStage, texts: list[str], *, say: Say) -> list[dict[str, float]]:
    """Labels of all texts, as the model says them; `say` gets a line of progress every fifteen seconds."""
    labels: list[dict[str, float]] = []
    started = last = time.monotonic()
    for first in range(0, len(texts), AT_ONCE):
        labels += stage.labels(texts[first : first + AT_ONCE])
        now = time.monotonic()
        if now - last > PROGRESS_S or len(labels) == len(texts):
            last = now
            say(f"  {len(labels):,} of {len(texts):,} notes, {len(labels) / (now - started):.1f} a second")
    return labels
