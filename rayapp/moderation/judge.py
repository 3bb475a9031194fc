"""Notes in, verdicts out: a cascade of the trained classifier and, for what it leaves open, the language model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from rayapp.domain import Decision, Item, Verdict
from rayapp.llm.language_model import LanguageModel
from rayapp.llm.settings import Llm, LlmAccess
from rayapp.moderation.calibration import Calibration, calibration_of, uncalibrated
from rayapp.moderation.llm_stage import LlmStage
from rayapp.moderation.moderation import from_odds
from rayapp.moderation.policy import Policy, load_policy
from rayapp.moderation.rules import Rules

UNKNOWN = 0.5  # what a classifier says of a category that it does not know


class Note(NamedTuple):
    """`text_key` names the text in the verdict, see Verdict."""

    item_id: str
    text: str
    text_key: str = ""

    @classmethod
    def of(cls, item: Item) -> Note:
        return cls(item.item_id, item.text, item.text_key)


class Classifier(Protocol):
    """See FastStage."""

    @property
    def version(self) -> str: ...

    @property
    def heads(self) -> Sequence[str]: ...

    def scores(self, texts: list[str]) -> list[dict[str, float]]: ...


class Look(NamedTuple):
    """A note with what the classifier says of it; `open`: the language model is asked as well."""

    note: Note
    scores: dict[str, float]
    open: bool


class Judge:
    """One policy and what judges by it. Without a language model the classifier decides every note."""

    def __init__(
        self, policy: Policy, fast: Classifier, llm: LlmStage | None = None, calibration: Calibration | None = None
    ) -> None:
        """`calibration`: of both, or of the classifier alone; the language model then has no say in what that knows."""
        self.fast = fast
        known = calibration or uncalibrated(fast.version, "", policy)
        self.rules = Rules(policy, known)
        self.trusted = llm is not None and known.llm == llm.version
        self.unknown = [name for name in policy.categories if name not in fast.heads]
        self.llm = llm if self.trusted or self.unknown else None
        self.model_version = "+".join([fast.version, *([self.llm.version] if self.llm is not None else [])])

    @classmethod
    def of(cls, model: LanguageModel | None, llm: Llm) -> Judge:
        """The configured policy and classifier, and `model` behind it. Raises UserError."""
        from rayapp.moderation.fast.stage import FastStage  # torch

        policy = load_policy(llm.policy or None)
        fast = FastStage.open(llm.classifier or None)
        stage = LlmStage.of(model, policy, llm) if model is not None else None
        version = stage.version if stage is not None else ""
        return cls(policy, fast, stage, calibration_of(llm.calibration, fast.version, version, policy))

    @classmethod
    def open(cls, llm: LlmAccess) -> Judge:
        """The configured policy and, where it is enabled, the served model. Raises UserError."""
        return cls.of(LanguageModel.served(llm) if llm.settings.enabled else None, llm.settings)

    @property
    def policy(self) -> Policy:
        return self.rules.policy

    @property
    def policy_version(self) -> str:
        """Changes with anything but the models that can change a decision: the policy, and the calibration."""
        return f"{self.policy.version}-{self.rules.calibration.version}"

    @property
    def versions(self) -> tuple[str, str]:
        """Model and policy version: a verdict of others is judged again."""
        return self.model_version, self.policy_version

    def look(self, notes: Sequence[Note]) -> list[Look]:
        """What the classifier says; it waits for nobody."""
        found = self.fast.scores([note.text for note in notes])
        return [Look(note, scores, self.is_open(scores)) for note, scores in zip(notes, found, strict=True)]

    def is_open(self, scores: Mapping[str, float]) -> bool:
        """Whether the language model has a say."""
        if self.llm is None or self.rules.decide(scores) is Decision.BLOCK:
            return False
        return bool(self.unknown or self.rules.open_categories(scores))

    def conclude(self, looks: Sequence[Look]) -> list[Verdict]:
        """Asks the language model about the open ones. Raises ModelAway."""
        texts = [look.note.text for look in looks if look.open]
        said = iter(self.llm.labels(texts) if self.llm is not None and texts else ())
        return [self.verdict(look, next(said) if look.open else None) for look in looks]

    def verdicts(self, notes: Sequence[Note]) -> list[Verdict]:
        """Raises ModelAway."""
        return self.conclude(self.look(notes))

    def verdict(self, look: Look, said: Mapping[str, float] | None = None) -> Verdict:
        """`said`: the language model's labels, as it gives them."""
        scores = look.scores if said is None else self.together(look.scores, said)
        found = self._verdict(look.note, scores, self.rules.decide(scores))
        return replace(found, stage="fast" if said is None else "llm", model_version=self.model_version)

    def unjudged(self, note: Note, look: Look | None = None) -> Verdict:
        """The policy's fallback while the language model is away; `look`: what the classifier said, if it could."""
        scores = look.scores if look is not None else None
        found = self._verdict(note, scores or {}, self.rules.fallback(scores))
        reason = "the language model did not answer; the note stays in the queue"
        return replace(found, outcome="failed", stage="policy", reason=reason)

    def together(self, scores: Mapping[str, float], said: Mapping[str, float]) -> dict[str, float]:
        """The classifier's probabilities with what the language model says of an open note."""
        weights = self.rules.calibration.weights
        found = dict(scores)
        for name in self.policy.categories:
            if self.trusted and name in weights:
                found[name] = weights[name].probability(scores.get(name, UNKNOWN), said[name])
            elif name not in scores:
                found[name] = said[name]
        return found

    def _verdict(self, note: Note, scores: Mapping[str, float], decision: Decision) -> Verdict:
        of_policy = {name: scores.get(name, 0.0) for name in self.policy.categories}
        return Verdict(
            item_id=note.item_id,
            decision=decision,
            outcome="judged",
            at_ms=int(time.time() * 1000),
            labels={name: round(share, 6) for name, share in from_odds(of_policy).items()} if scores else {},
            scores={name: round(score, 6) for name, score in scores.items()},
            policy_version=self.policy_version,
            text_key=note.text_key,
            read=1.0 if scores else 0.0,
            help=self.policy.help if self.rules.distressed(scores) else "",
        )
