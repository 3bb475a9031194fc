"""The language model's part of moderation: the policy's questions, asked of all of a note in windows."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from rayapp.llm.language_model import Chooser, LanguageModel
from rayapp.llm.settings import Llm
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import NONE, Policy


class LlmStage(NamedTuple):
    """One policy, one language model (`version` names its weights)."""

    moderation: Moderation
    chooser: Chooser
    version: str

    @classmethod
    def of(cls, model: LanguageModel, policy: Policy, llm: Llm) -> LlmStage:
        """Raises UserError."""
        return cls(Moderation(model.tokenizer, policy, llm.prefills), model.answers, model.version)

    def labels(self, texts: list[str]) -> list[dict[str, float]]:
        """Of every text its distribution over `none` and the categories, as the model says it; of a long text that of
        the window in which `none` is least likely. Raises ModelAway."""
        asked = [self.moderation.prompts(text) for text in texts]
        prompts = [prompt for windows in asked for window in windows for prompt in window]
        answers = iter(self.chooser.choose(prompts, self.moderation.questions[0].answers))
        return [
            strictest([self.moderation.labels(list(itertools.islice(answers, len(window)))) for window in windows])
            for windows in asked
        ]


def strictest(windows: list[dict[str, float]]) -> dict[str, float]:
    """Of one note's windows."""
    return min(windows, key=lambda labels: labels[NONE])
