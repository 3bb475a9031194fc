"""What an experiment shows: every metric of every arm against the control, and whether the split can be trusted.

Fixed-horizon statistics are tea-tasting's (CUPED, delta method for ratios,
Benjamini-Hochberg over all comparisons); the interval that may be looked at every
hour is `always_valid`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd
from scipy.stats import chisquare

from rayapp.experiments.always_valid import FEWEST_USERS, TYPICAL, AlwaysValid, always_valid
from rayapp.experiments.experiment import Experiment
from rayapp.experiments.interleaving import Preference, preference
from rayapp.experiments.metric import LATENCIES, Metric, Ratio
from rayapp.experiments.user_totals import PRE
from rayapp.stats.quantile_sketch import QuantileSketch

MISMATCH = 0.001  # of the sample-ratio test: below it the split is broken (Fabijan et al. 2019)
ALPHA = 0.05
NORMAL_975 = 1.959963984540054


class Comparison(msgspec.Struct, frozen=True):
    """One metric of one arm against the control; lifts are relative, intervals are of 95%.

    `low`, `high`, `pvalue`: at a horizon fixed before; `pvalue_adjusted`: over all comparisons of the report;
    `always`: at any time, None with too few users; `significant`: by `always` where there is one.
    """

    metric: str
    arm: str
    users: int
    value: float
    control: float
    lift: float | None
    low: float | None
    high: float | None
    pvalue: float | None
    pvalue_adjusted: float | None
    always: tuple[float, float] | None
    always_pvalue: float | None
    cuped: bool

    @property
    def significant(self) -> bool:
        return self.always_pvalue is not None and self.always_pvalue < ALPHA


class GuardrailResult(msgspec.Struct, frozen=True):
    metric: str
    arm: str
    value: float
    limit: str
    holds: bool


class Report(msgspec.Struct, frozen=True):
    """`users`: by arm. `mismatch`: p-value of the sample-ratio test; `warnings` say what not to trust and why;
    `preferences`: of interleaved arms between their own ranker (first) and the other."""

    experiment: str
    users: dict[str, int]
    mismatch: float | None
    comparisons: tuple[Comparison, ...]
    guardrails: tuple[GuardrailResult, ...]
    warnings: tuple[str, ...]
    preferences: dict[str, Preference] = {}


def report(
    experiment: Experiment,
    table: pd.DataFrame,
    latencies: Mapping[str, QuantileSketch] | None = None,
    *,
    moved: int = 0,
    warnings: Sequence[str] = (),
    drafts: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
) -> Report:
    """`table`, `drafts`: of `UserTotals`; `moved`: users who were seen in two arms, and are in no row of it."""
    users = {arm.name: int((table["arm"] == arm.name).sum()) for arm in experiment.arms}
    mismatch = _mismatch(experiment, users)
    found = list(warnings)
    if mismatch is not None and mismatch < MISMATCH:
        shares = ", ".join(f"{arm.name} {users[arm.name]:,} for {arm.weight:g}" for arm in experiment.arms)
        found.append(f"sample ratio mismatch (p = {mismatch:.1e}): {shares}; trust no number below until it is found")
    if len(served := {arm.params.model or "the configured model" for arm in experiment.arms}) > 1:
        found.append(
            f"arms share training traffic: {', '.join(sorted(served))} learn from each other's users unless their "
            "learners run with --learn-from own-arm, which makes the arms more alike than they would be"
        )
    if moved:
        found.append(f"{moved:,} users were seen in two arms and are left out: arms or weights were changed")
    return Report(
        experiment.name,
        users,
        mismatch,
        tuple(_comparisons(experiment, table, users)),
        tuple(_guardrails(experiment, table, latencies or {})),
        tuple(found),
        {arm: preference(clicks) for arm, clicks in (drafts or {}).items()},
    )


def _mismatch(experiment: Experiment, users: Mapping[str, int]) -> float | None:
    """Of chi-squared: the chance of such a split if the weights are what was done."""
    arms = [arm for arm in experiment.arms if arm.weight > 0]
    total = sum(users[arm.name] for arm in arms)
    if not total or len(arms) < 2:
        return None
    return float(chisquare([users[a.name] for a in arms], [a.weight * total for a in arms]).pvalue)


def _comparisons(experiment: Experiment, table: pd.DataFrame, users: Mapping[str, int]) -> list[Comparison]:
    import tea_tasting as tt

    control = experiment.control.name
    others = [arm.name for arm in experiment.arms[1:] if users[arm.name] > 1]
    if users[control] < 2 or not others:
        return []
    usable = {m.name: m for m in experiment.metrics if _varies(table, m, (control, *others))}
    cuped = {name: _has_before(table, m) for name, m in usable.items()}
    results: dict[Any, Any] = {}
    if usable:
        metrics = {name: _tested(tt, metric, cuped[name]) for name, metric in usable.items()}
        tested = tt.Experiment(metrics, variant="arm")
        for arm in others:
            results[arm] = tested.analyze(table[table["arm"].isin((control, arm))], control=control)
    adjusted = {
        (row["comparison"], row["metric"]): row["pvalue_adj"]
        for row in (tt.adjust_fdr(results).to_dicts() if results else ())
    }
    found: list[Comparison] = []
    for arm in others:
        for metric in experiment.metrics:
            one = results[arm][metric.name] if metric.name in usable else None
            anyhow = _anyhow(one, min(users[arm], users[control]))
            found.append(
                Comparison(
                    metric.name,
                    arm,
                    users[arm],
                    _value(table, metric, arm),
                    _value(table, metric, control),
                    one and float(one.rel_effect_size),
                    one and float(one.rel_effect_size_ci_lower),
                    one and float(one.rel_effect_size_ci_upper),
                    one and float(one.pvalue),
                    one and float(adjusted[arm, metric.name]),
                    anyhow and (anyhow.low, anyhow.high),
                    anyhow and anyhow.pvalue,
                    metric.name in usable and cuped[metric.name],
                )
            )
    return found


def _tested(tt: Any, metric: Metric, cuped: bool) -> Any:
    # Users are hundreds: the normal distribution, so that the error can be read from the interval.
    before = [PRE + count for count in metric.counts] if cuped else [None] * len(metric.counts)
    if isinstance(metric, Ratio):
        return tt.RatioOfMeans(metric.numerator, metric.denominator, *before, use_t=False)
    return tt.Mean(metric.action, *before, use_t=False)


def _anyhow(one: Any, fewest: int) -> AlwaysValid | None:
    """Relative to the control, as the lift is."""
    if one is None or fewest < FEWEST_USERS or not one.control:
        return None
    # Plain floats: tea-tasting's own are kept by arithmetic, and no encoder knows them.
    low, high, effect, control = (
        float(number)
        for number in (one.effect_size_ci_lower, one.effect_size_ci_upper, one.effect_size, abs(one.control))
    )
    error = (high - low) / 2 / NORMAL_975
    if not error > 0:
        return None
    return always_valid(effect / control, error / control, TYPICAL, ALPHA)


def _varies(table: pd.DataFrame, metric: Metric, arms: Sequence[str]) -> bool:
    """Something was counted in every arm, and not the same of every user."""
    for arm in arms:
        own = table.loc[table["arm"] == arm, list(metric.counts)]
        if (own.sum() <= 0).any() or (own.nunique() < 2).all():
            return False
    return True


def _has_before(table: pd.DataFrame, metric: Metric) -> bool:
    return all(table[PRE + count].nunique() > 1 for count in metric.counts if PRE + count in table)


def _value(table: pd.DataFrame, metric: Metric, arm: str) -> float:
    own = table[table["arm"] == arm]
    if isinstance(metric, Ratio):
        below = float(own[metric.denominator].sum())
        return float(own[metric.numerator].sum()) / below if below else 0.0
    return float(own[metric.action].mean())


def _guardrails(
    experiment: Experiment, table: pd.DataFrame, latencies: Mapping[str, QuantileSketch]
) -> list[GuardrailResult]:
    metrics = {metric.name: metric for metric in experiment.metrics}
    found: list[GuardrailResult] = []
    for guardrail in experiment.guardrails:
        for arm in experiment.arms:
            if guardrail.metric in LATENCIES:
                held = latencies.get(arm.name)
                if not held:
                    continue
                value = held.quantile(LATENCIES[guardrail.metric])
            else:
                value = _value(table, metrics[guardrail.metric], arm.name)
            limit = ", ".join(
                f"{word} {bound:g}"
                for word, bound in (("at most", guardrail.max), ("at least", guardrail.min))
                if bound is not None
            )
            found.append(GuardrailResult(guardrail.metric, arm.name, value, limit, guardrail.holds(value)))
    return found
