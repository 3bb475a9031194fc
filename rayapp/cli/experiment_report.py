"""An experiment's report as tables on the terminal."""

from __future__ import annotations

from typing import Any

from rayapp.experiments.report import Comparison, Report
from rayapp.terminal import console, print_table


def print_report(found: Report) -> None:
    for warning in found.warnings:
        console.print(f"[bold red]{warning}")
    users = ", ".join(f"{arm} {count:,}" for arm, count in found.users.items())
    columns = ["metric", "arm", "value", "control", "lift", "95% at a fixed end", "p, adjusted", "95% at any time", ""]
    print_table(f"{found.experiment}: users {users}", columns, [_row(comparison) for comparison in found.comparisons])
    if found.preferences:
        columns = ["arm", "users who prefer its own ranker", "the other", "neither", "share of clicks over half", "p"]
        rows = [
            [arm, p.first, p.second, p.ties, f"{p.credit:+.3f}", f"{p.pvalue:.4f}"]
            for arm, p in found.preferences.items()
        ]
        print_table("interleaved: whose notes are clicked", columns, rows)
    if found.guardrails:
        rows = [[g.metric, g.arm, g.value, g.limit, "holds" if g.holds else "BROKEN"] for g in found.guardrails]
        print_table("guardrails", ["", "arm", "value", "limit", ""], rows)


def _row(one: Comparison) -> list[Any]:
    return [
        one.metric,
        one.arm,
        one.value,
        one.control,
        "" if one.lift is None else f"{one.lift:+.2%}",
        "too little to say" if one.low is None or one.high is None else f"{one.low:+.2%} to {one.high:+.2%}",
        "" if one.pvalue_adjusted is None else f"{one.pvalue_adjusted:.4f}",
        "too few users" if one.always is None else f"{one.always[0]:+.2%} to {one.always[1]:+.2%}",
        "significant" if one.significant else "",
    ]
