"""Notes in, verdicts out: the policy's questions put to the language model."""

from __future__ import annotations

import itertools
import time
from typing import NamedTuple

from rayapp.domain import Decision, Item, Verdict
from rayapp.llm.language_model import Chooser, LanguageModel
from rayapp.llm.settings import Llm, LlmAccess
from rayapp.moderation.calibration import Calibration, load_calibration
from rayapp.moderation.moderation import Moderation
from rayapp.moderation.policy import NONE, Policy, load_policy


class Note(NamedTuple):
    """`text_key` names the text in the verdict, see Verdict."""

    item_id: str
    text: str
    text_key: str = ""

    @classmethod
    def of(cls, item: Item) -> Note:
        return cls(item.item_id, item.text, item.text_key)


class Judge:
    """One policy, one model."""

    def __init__(
        self, moderation: Moderation, chooser: Chooser, version: str, calibration: Calibration | None = None
    ) -> None:
        self.moderation = moderation
        self.chooser = chooser
        self.model_version = version
        self.calibration = calibration

    @classmethod
    def of(cls, model: LanguageModel, llm: Llm, *, calibrated: bool = True) -> Judge:
        """The configured policy, put to `model`. Raises UserError."""
        policy = load_policy(llm.policy or None)
        moderation = Moderation(model.tokenizer, policy, llm.prefills)
        calibration = load_calibration(llm.calibration or None, model.version, policy) if calibrated else None
        return cls(moderation, model.answers, model.version, calibration)

    @classmethod
    def open(cls, llm: LlmAccess) -> Judge:
        """The configured policy and the served model. Raises UserError."""
        return cls.of(LanguageModel.served(llm), llm.settings)

    @property
    def policy(self) -> Policy:
        return self.moderation.policy

    @property
    def policy_version(self) -> str:
        """Changes with anything but the model that can change a decision: the policy, and its calibration."""
        policy = self.policy.version
        return f"{policy}-{self.calibration.version}" if self.calibration is not None else policy

    @property
    def versions(self) -> tuple[str, str]:
        """Model and policy version: a verdict of others is judged again."""
        return self.model_version, self.policy_version

    def labels(self, texts: list[str]) -> list[dict[str, float]]:
        """Of every text its distribution over `none` and the categories, as the model says it; of a long text that of
        the window in which `none` is least likely. Raises ModelAway."""
        return [min(windows, key=lambda labels: labels[NONE]) for windows in self._windows(texts)]

    def _windows(self, texts: list[str]) -> list[list[dict[str, float]]]:
        """The model's labels of every window of every text."""
        asked = [self.moderation.prompts(text) for text in texts]
        prompts = [prompt for windows in asked for window in windows for prompt in window]
        answers = iter(self.chooser.choose(prompts, self.moderation.questions[0].answers))
        return [
            [self.moderation.labels(list(itertools.islice(answers, len(window)))) for window in windows]
            for windows in asked
        ]

    def decide(self, labels: dict[str, float]) -> Decision:
        """By the policy's thresholds; uncalibrated categories no further than the policy trusts them."""
        return self.policy.decide(labels, self.calibration.calibrated if self.calibration else ())

    def verdicts(self, notes: list[Note]) -> list[Verdict]:
        """All of a note is judged, in windows; the strictest holds. Raises ModelAway."""
        found = self._windows([note.text for note in notes])
        return [
            strictest([self.verdict(note, labels) for labels in windows])
            for note, windows in zip(notes, found, strict=True)
        ]

    def verdict(self, note: Note, labels: dict[str, float]) -> Verdict:
        """`labels`: as the model says them."""
        if self.calibration is not None:
            labels = self.calibration.apply(labels)
        return Verdict(
            item_id=note.item_id,
            decision=self.decide(labels),
            outcome="judged",
            at_ms=int(time.time() * 1000),
            labels={name: round(share, 6) for name, share in labels.items()},
            model_version=self.model_version,
            policy_version=self.policy_version,
            text_key=note.text_key,
        )

    def unjudged(self, note: Note) -> Verdict:
        """The policy's fallback while the model is away."""
        return Verdict(
            item_id=note.item_id,
            decision=self.policy.on_failure,
            outcome="failed",
            at_ms=int(time.time() * 1000),
            policy_version=self.policy_version,
            text_key=note.text_key,
            reason="the model did not answer; the note stays in the queue",
        )


def strictest(verdicts: list[Verdict]) -> Verdict:
    """Of one note's windows: the strictest decision, among equals the one in which `none` is least likely."""
    return max(verdicts, key=lambda verdict: (verdict.decision.strictness, -verdict.labels.get(NONE, 0.0)))
