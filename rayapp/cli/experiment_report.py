"""Print an experiment's report as tables."""

from __future__ import annotations

from typing import Any

from rayapp.experiments.report import Comparison, Report
from rayapp.terminal import console, print_table


def print_report(report: Report) -> None:
    for warning in report.warnings:
        console.print(f"[bold red]{warning}")
    users = ", ".join(f"{arm} {count:,}" for arm, count in report.users.items())
    columns = [
        "metric",
        "arm",
        "value",
        "control",
        "lift",
        "95% CI, fixed horizon",
        "p, adjusted",
        "95% CI, always valid",
        "",
    ]
    print_table(f"{report.experiment}: users {users}", columns, [_row(comparison) for comparison in report.comparisons])
    if report.preferences:
        columns = ["arm", "users preferring its ranker", "preferring the other", "ties", "click credit over 0.5", "p"]
        rows = [
            [arm, p.first, p.second, p.ties, f"{p.credit:+.3f}", f"{p.pvalue:.4f}"]
            for arm, p in report.preferences.items()
        ]
        print_table("interleaving (team draft)", columns, rows)
    if report.guardrails:
        rows = [[g.metric, g.arm, g.value, g.limit, "ok" if g.holds else "VIOLATED"] for g in report.guardrails]
        print_table("guardrails", ["metric", "arm", "value", "limit", ""], rows)


def _row(comparison: Comparison) -> list[Any]:
    return [
        comparison.metric,
        comparison.arm,
        comparison.value,
        comparison.control,
        "" if comparison.lift is None else f"{comparison.lift:+.2%}",
        "not enough data"
        if comparison.low is None or comparison.high is None
        else f"{comparison.low:+.2%} to {comparison.high:+.2%}",
        "" if comparison.pvalue_adjusted is None else f"{comparison.pvalue_adjusted:.4f}",
        "not enough users"
        if comparison.always is None
        else f"{comparison.always[0]:+.2%} to {comparison.always[1]:+.2%}",
        "significant" if comparison.significant else "",
    ]
