"""A report finds what was planted, keeps quiet where nothing was, and says when it must not be trusted."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from rayapp.experiments.experiment import Arm, Experiment
from rayapp.experiments.metric import Guardrail, Mean, Ratio
from rayapp.experiments.report import Report, report
from rayapp.stats.quantile_sketch import QuantileSketch

METRICS = (Ratio("ctr", "click", "impression"), Mean("likes", "like"))
TWO = Experiment(
    "x", "feed", (Arm("control", 0.5), Arm("new", 0.5)), metrics=METRICS,
    guardrails=(Guardrail("latency_p99_ms", max=50), Guardrail("ctr", min=0.5)),
)  # fmt: skip


def users(count: int, lift: float, seed: int = 0, share: float = 0.5, before: bool = True) -> pd.DataFrame:
    """Lognormal activity, a click rate of its own a user, and a time before of the same habits."""
    rng = np.random.default_rng(seed)
    activity, taste = rng.lognormal(2.5, 1, count), rng.beta(4, 16, count)
    new = rng.random(count) < share
    columns: dict[str, object] = {"user_id": [f"u{n}" for n in range(count)], "arm": np.where(new, "new", "control")}
    for prefix, gain in (("", lift), ("pre_", 0.0)):
        seen = rng.poisson(activity) + 1
        columns[f"{prefix}impression"] = seen * float(before or not prefix)
        columns[f"{prefix}click"] = rng.binomial(seen, np.minimum(1, taste * (1 + gain * new))) * float(
            before or not prefix
        )
        columns[f"{prefix}like"] = rng.poisson(0.1 * activity) * float(before or not prefix)
    return pd.DataFrame(columns)


def test_a_planted_lift_is_found_and_nothing_else() -> None:
    found = report(TWO, users(4000, lift=0.1))
    ctr, likes = found.comparisons
    assert (ctr.metric, ctr.arm, likes.metric) == ("ctr", "new", "likes")
    assert ctr.low < 0.1 < ctr.high
    assert ctr.significant
    assert ctr.pvalue_adjusted >= ctr.pvalue
    assert ctr.always[0] < ctr.low < ctr.high < ctr.always[1], "for looking every hour one pays in width"
    assert not likes.significant
    assert ctr.value > ctr.control
    assert not found.warnings


@pytest.mark.parametrize("count", [1, 100, 2000])
def test_it_travels_as_json_whatever_its_size(count: int) -> None:
    found = report(TWO, users(count, 0.1))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Report) == found
    assert any(one.always for one in found.comparisons) == (count == 2000)


def test_the_time_before_makes_intervals_narrower() -> None:
    (_, with_), (_, without) = (report(TWO, users(3000, 0.0, before=b)).comparisons for b in (True, False))
    assert with_.cuped
    assert not without.cuped
    assert with_.high - with_.low < 0.8 * (without.high - without.low)


def test_users_are_the_unit() -> None:
    """As if events were: intervals three times too narrow, for what a user does is alike."""
    table = users(3000, 0.0)
    (ctr, _) = report(TWO, table.assign(pre_click=0.0, pre_impression=0.0)).comparisons
    seen = table.groupby("arm")[["click", "impression"]].sum()
    rates = seen["click"] / seen["impression"]
    event_error = np.sqrt((rates * (1 - rates) / seen["impression"]).sum()) / rates["control"]
    assert (ctr.high - ctr.low) / 2 / 1.96 > 1.2 * event_error


def test_few_users_have_no_always_valid_interval_and_an_arm_without_users_no_line() -> None:
    few = report(TWO, users(500, 0.1))
    assert all(one.always is None and not one.significant for one in few.comparisons)
    nobody = report(TWO, users(500, 0.1, share=0.0))
    assert nobody.comparisons == ()
    assert report(TWO, users(0, 0.0)).users == {"control": 0, "new": 0}


def test_what_nobody_did_is_shown_without_a_test() -> None:
    found = report(TWO, users(1000, 0.0).assign(like=0.0))
    likes = found.comparisons[1]
    assert (likes.value, likes.lift, likes.pvalue, likes.significant) == (0.0, None, None, False)


def test_a_split_that_is_not_what_was_asked_is_an_alarm() -> None:
    assert report(TWO, users(4000, 0.0, share=0.5)).mismatch > 0.001
    found = report(TWO, users(4000, 0.0, share=0.45))
    assert found.mismatch < 0.001
    assert found.warnings[0].startswith("sample ratio mismatch")
    assert "control 2," in found.warnings[0]


def sketch(values: list[float]) -> QuantileSketch:
    made = QuantileSketch()
    for value in values:
        made.add(value)
    return made


def test_guardrails_of_every_arm() -> None:
    latencies = {"control": sketch([10.0] * 99), "new": sketch([10.0] * 90 + [80.0] * 9)}
    found = report(TWO, users(1000, 0.0), latencies, moved=3)
    kept = {(one.metric, one.arm): one.holds for one in found.guardrails}
    assert kept == {
        ("latency_p99_ms", "control"): True, ("latency_p99_ms", "new"): False,
        ("ctr", "control"): False, ("ctr", "new"): False,
    }  # fmt: skip
    assert found.guardrails[0].limit == "at most 50"
    assert found.warnings == ("3 users were seen in two arms and are left out: arms or weights were changed",)


@pytest.mark.parametrize("seed", range(3))
def test_three_arms_are_each_held_against_the_first(seed: int) -> None:
    three = Experiment("x", "feed", (Arm("a", 0.4), Arm("b", 0.3), Arm("c", 0.3)), metrics=METRICS)
    table = users(3000, 0.0, seed)
    table["arm"] = np.random.default_rng(seed).choice(["a", "b", "c"], 3000, p=[0.4, 0.3, 0.3])
    found = report(three, table)
    assert [(one.arm, one.metric) for one in found.comparisons] == [
        ("b", "ctr"), ("b", "likes"), ("c", "ctr"), ("c", "likes")
    ]  # fmt: skip
    assert not any(one.significant for one in found.comparisons)
