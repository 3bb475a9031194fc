"""What an experiment is judged by: a mean a user, or a ratio of two totals; and what no arm may exceed."""

from __future__ import annotations

import msgspec

from rayapp.domain import ACTIONS

# What is counted of a user beside actions: answers given, notes shown in them, answers with a click.
SHOWN_COUNTS = ("answers", "items", "clicked_answers")
COUNTS = (*ACTIONS, *SHOWN_COUNTS)
LATENCIES = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}


class Mean(msgspec.Struct, frozen=True, tag_field="kind", tag="mean", forbid_unknown_fields=True):
    """`action` a user, those without any included."""

    name: str
    action: str

    @property
    def counts(self) -> tuple[str, ...]:
        return (self.action,)


class Ratio(msgspec.Struct, frozen=True, tag_field="kind", tag="ratio", forbid_unknown_fields=True):
    """All of `numerator` over all of `denominator`; its variance is that of users (delta method)."""

    name: str
    numerator: str
    denominator: str

    @property
    def counts(self) -> tuple[str, ...]:
        return (self.numerator, self.denominator)


Metric = Mean | Ratio


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metric`: a latency of an arm's answers or one of the experiment's metrics."""

    metric: str
    max: float | None = None
    min: float | None = None

    def holds(self, value: float) -> bool:
        return (self.max is None or value <= self.max) and (self.min is None or value >= self.min)


DEFAULT_METRICS: tuple[Metric, ...] = (
    Ratio("ctr", "click", "impression"),
    Mean("clicks", "click"),
    Ratio("clicks_per_item", "click", "items"),
)
