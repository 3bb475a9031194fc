"""The moderation policy: categories, thresholds, and what holds when the model cannot say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from rayapp.domain import Decision
from rayapp.errors import UserError
from rayapp.parsing import Unreadable, convert, yaml_value

DEFAULT_POLICY = Path(__file__).with_name("moderation.yaml")
PACKAGED_POLICIES = {"strict": str(Path(__file__).with_name("moderation_strict.yaml"))}  # by name, for experiments
NONE = "none"
Probability = Annotated[float, Meta(gt=0.0, le=1.0)]


class PolicyError(UserError):
    """A moderation policy cannot be used; the message names the key at fault."""


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`description` is read by the language model; probabilities of at least `limit` or `block` decide. Without these
    numbers the policy's budget sets them. `most`: the strictest decision of this category."""

    description: Annotated[str, Meta(min_length=1, max_length=500)]
    limit: Probability | None = None
    block: Probability | None = None
    most: Decision = Decision.BLOCK
    on_failure: Decision = Decision.ALLOW


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the harmless notes that may be limited, and blocked: false-positive rates over all categories."""

    limit: Annotated[float, Meta(ge=0.001, le=0.2)] = 0.05
    block: Annotated[float, Meta(ge=0.001, le=0.2)] = 0.01


class Threshold(NamedTuple):
    """Of one category: the probabilities from which a note is limited and blocked, and the most that may follow."""

    limit: float
    block: float
    most: Decision


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`max_tokens`: of a window that the language model reads; `uncalibrated`: the most that an uncalibrated category
    may decide; `help`: what the author and the readers of a note by somebody in distress are told."""

    categories: Annotated[dict[Annotated[str, Meta(pattern="^[a-z][a-z0-9-]*$")], Category], Meta(min_length=1)]
    pending: Decision = Decision.ALLOW
    uncalibrated: Decision = Decision.ALLOW
    budget: Budget = Budget()
    help: Annotated[str, Meta(max_length=500)] = ""
    max_tokens: Annotated[int, Meta(ge=16, le=8192)] = 256

    @property
    def names(self) -> tuple[str, ...]:
        """`none` first, then the categories."""
        return (NONE, *self.categories)

    @property
    def version(self) -> str:
        """Changes with anything that can change a decision."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:12]

    @property
    def on_failure(self) -> Decision:
        """A model that does not answer could have found any category: the strictest one's word holds."""
        return strictest([category.on_failure for category in self.categories.values()])

    def decide(self, scores: Mapping[str, float], thresholds: Mapping[str, Threshold]) -> Decision:
        """The strictest decision that any category's probability (each for itself) calls for."""
        found = [Decision.ALLOW]
        for name, threshold in thresholds.items():
            score = scores.get(name, 0.0)
            if score >= threshold.limit:
                decision = Decision.BLOCK if score >= threshold.block else Decision.LIMIT
                found.append(mildest([decision, threshold.most]))
        return strictest(found)


def mildest(decisions: list[Decision]) -> Decision:
    return min(decisions, key=lambda d: d.strictness)


def strictest(decisions: list[Decision]) -> Decision:
    return max(decisions, key=lambda d: d.strictness)


def load_policy(file: str | Path | None = None) -> Policy:
    """A policy from YAML; without a file the one that comes with the package. Raises PolicyError."""
    path = Path(file or DEFAULT_POLICY)
    try:
        policy = convert(yaml_value(path.read_bytes(), what=f"policy {path}"), Policy, what=f"policy {path}")
    except OSError as error:
        raise PolicyError(f"policy {path} cannot be read: {error.strerror}") from None
    except Unreadable as error:
        raise PolicyError(f"{error}; see {DEFAULT_POLICY.name} for every key") from None
    if NONE in policy.categories:
        raise PolicyError(f"policy {path}: category {NONE!r} is what is left when no category fits; rename yours")
    if policy.pending not in (Decision.ALLOW, Decision.HOLD):
        raise PolicyError(f"policy {path}: pending {policy.pending.value!r}; use allow or hold")
    for name, category in policy.categories.items():
        if category.block is not None and category.limit is not None and category.block < category.limit:
            raise PolicyError(
                f"policy {path}: category {name}: block == {category.block} is below limit == {category.limit}; "
                "block must be the higher one"
            )
    if policy.budget.block > policy.budget.limit:
        raise PolicyError(
            f"policy {path}: budget: block == {policy.budget.block} is above limit == {policy.budget.limit}; "
            "fewer notes may be blocked than limited"
        )
    return policy
