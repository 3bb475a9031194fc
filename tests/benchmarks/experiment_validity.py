"""Is the report of an experiment to be believed? Many experiments without a difference, looked at every hour, and many with one.

    python -m tests.benchmarks.experiment_validity --simulations 1000

Users come back, are active by a lognormal law and click at rates of their own. Without a difference an interval that may
be looked at every hour must leave zero out in at most alpha of the experiments; the same with events as the unit is shown
beside it. With a planted lift the test of the fixed horizon must find it as often as its own power predicts.
"""

from __future__ import annotations

from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from scipy.stats import norm

from rayapp.experiments.always_valid import TYPICAL, always_valid
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.experiments.metric import Mean, Ratio
from rayapp.experiments.report import ALPHA, MISMATCH, Report, report
from rayapp.terminal import console, print_table

METRICS = (Ratio("ctr", "click", "impression"), Mean("clicks", "click"))
HABITS = 24  # hours before the experiment, for CUPED


class World(NamedTuple):
    """`clicks` and `seen` [users, looks] are totals since the start, `before` [users, 2] those of the time before it."""

    arm: np.ndarray
    clicks: np.ndarray
    seen: np.ndarray
    before: np.ndarray

    def table(self, look: int) -> pd.DataFrame:
        """Of the users who were there by then."""
        rows = self.seen[:, look] > 0
        return pd.DataFrame(
            {
                "arm": np.where(self.arm[rows], "new", "control"),
                "click": self.clicks[rows, look].astype(float),
                "impression": self.seen[rows, look].astype(float),
                "pre_click": self.before[rows, 0].astype(float),
                "pre_impression": self.before[rows, 1].astype(float),
            }
        )


def world(experiment: Experiment, number: int, users: int, hours: int, lift: float, every: int) -> World:
    """The arms are those of the hash; `every`: hours between looks."""
    rng = np.random.default_rng(number)
    arm = np.array([getattr(experiment.arm(f"u{number}-{n}"), "name", "") == "new" for n in range(users)])
    activity, taste = rng.lognormal(-1.0, 1.0, users), rng.beta(4, 16, users)
    day = 1 + 0.8 * np.sin(np.arange(hours) * 2 * np.pi / 24)
    mood = rng.gamma(4, 1 / 4, (users, hours))  # an hour's clicks are more alike than chance
    rate = np.minimum(0.95, taste * (1 + lift * arm))

    def hour_by_hour(count: int, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = 5 * rng.poisson(activity[:, None] * day[:count])
        return rng.binomial(seen, np.minimum(0.95, rate[:, None] * mood[:, :count])), seen

    habits = hour_by_hour(min(HABITS, hours), taste)
    clicks, seen = hour_by_hour(hours, rate)
    looks = np.arange(every - 1, hours, every)
    before = np.stack([part.sum(1) for part in habits], 1)
    return World(arm, clicks.cumsum(1)[:, looks], seen.cumsum(1)[:, looks], before)


def by_events(world: World, look: int) -> bool:
    """Whether the same interval leaves zero out where events are taken for independent."""
    totals = [(world.clicks[own, look].sum(), world.seen[own, look].sum()) for own in (~world.arm, world.arm)]
    (control, n), (new, m) = [(clicks / seen, seen) for clicks, seen in totals]
    error = np.sqrt(control * (1 - control) / n + new * (1 - new) / m)
    return bool(always_valid((new - control) / control, error / control, TYPICAL).pvalue < ALPHA)


def _power(found: Report, lift: float) -> float:
    """Of the two-sided test at ALPHA, from the report's own interval."""
    ctr = found.comparisons[0]
    error = (ctr.high - ctr.low) / 2 / norm.ppf(1 - ALPHA / 2)
    z = norm.ppf(1 - ALPHA / 2)
    return float(norm.cdf(lift / error - z) + norm.cdf(-lift / error - z))


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--simulations", default=1000, help="Of each kind.")
@click.option("--users", default=2000, help="Of an experiment.")
@click.option("--hours", default=48, help="That it runs.")
@click.option("--every", default=1, help="Hours between looks.")
@click.option("--lift", default=0.02, help="Planted in the click rate, relative.")
def main(simulations: int, users: int, hours: int, every: int, lift: float) -> None:
    wrong = {"always valid": 0, "always valid, events as the unit": 0, "fixed horizon, looked at every time": 0}
    mismatches = found_lift = at_end = 0
    predicted: list[float] = []
    for number in range(simulations):
        # Every experiment has a name of its own: the name is the seed of the hash.
        experiment = Experiment(f"aa-{number}", "feed", (Arm("control", 0.5), Arm("new", 0.5)), metrics=METRICS)
        same = world(experiment, number, users, hours, 0.0, every)
        reports = [report(experiment, same.table(look)) for look in range(same.seen.shape[1])]
        ctr = [one.comparisons[0] for one in reports]
        wrong["always valid"] += any(one.significant for one in ctr)
        wrong["always valid, events as the unit"] += any(by_events(same, look) for look in range(same.seen.shape[1]))
        wrong["fixed horizon, looked at every time"] += any((one.pvalue or 1) < ALPHA for one in ctr)
        at_end += (ctr[-1].pvalue or 1) < ALPHA
        mismatches += any((one.mismatch or 1) < MISMATCH for one in reports[-1:])
        other = world(experiment, simulations + number, users, hours, lift, hours)
        last = report(experiment, other.table(0))
        found_lift += last.comparisons[0].pvalue < ALPHA and last.comparisons[0].lift > 0
        predicted.append(_power(last, lift))
        if (number + 1) % 50 == 0:
            console.print(f"  {number + 1:,} of {simulations:,}: {wrong}")
    slack = 3 * np.sqrt(ALPHA * (1 - ALPHA) / simulations)
    rows = [[name, count / simulations, f"at most {ALPHA + slack:.4f}"] for name, count in wrong.items()]
    rows[1][2], rows[2][2] = "(shown to fail)", "(shown to fail)"
    rows.append(["fixed horizon, looked at once", at_end / simulations, f"{ALPHA:g} within {slack:.4f}"])
    rows.append(["sample-ratio alarm, at the end", mismatches / simulations, f"about {MISMATCH:g}"])
    print_table(f"{simulations:,} experiments without a difference, {hours // every} looks", ["", "share", "aim"], rows)
    power = float(np.mean(predicted))
    slack = 3 * np.sqrt(power * (1 - power) / simulations)
    print_table(
        f"{simulations:,} experiments with a lift of {lift:.0%}",
        ["", "found", "predicted"],
        [["fixed horizon", found_lift / simulations, f"{power:.4f} within {slack:.4f}"]],
    )


if __name__ == "__main__":
    main()
