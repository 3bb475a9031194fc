"""`rayapp simulate`: run the simulator against the running system and print click rates over time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import click

from rayapp.cli.http import base_url
from rayapp.cli.machine.paths import Layout
from rayapp.cli.simulator import ArmTally, Simulation, Tally
from rayapp.config import Config
from rayapp.data.folder import DataFolder
from rayapp.errors import UserError


class SimulationError(UserError):
    """The simulation cannot run, or no request was answered."""


LISTS = ("served", "random", "popularity")


def run_simulation(
    config: Config, *, users: int, rate: float, duration: float, seed: int, bucket: float, out: str | None
) -> None:
    layout = Layout.of(config)
    data = layout.read(layout.system).get("data")
    if not data:
        raise SimulationError("no data was loaded yet; load some with: rayapp up")
    folder = DataFolder(data)
    popularity = dict(Counter(folder.interactions()["item_id"].to_pylist()))
    key = config.api_keys[0] if config.api_keys else None
    simulation = Simulation(
        base_url(config),
        folder.items(),
        popularity,
        users=users,
        rate=rate,
        duration=duration,
        seed=seed,
        bucket_s=bucket,
        key=key,
    )
    click.echo(f"{users} new users, {rate:g} feeds/s for {duration:g} s; click rate of lists of 20")
    click.echo(f"{'seconds':>12}  {'served':>8} {'random':>8} {'popular':>8}   served/popular")

    def show(number: int, tallies: dict[str, Tally]) -> None:
        if not tallies:
            return
        rates = [tallies[name].rate for name in LISTS]
        span = f"{number * bucket:.0f}-{(number + 1) * bucket:.0f}"
        lift = f"{rates[0] / rates[2]:.2f}" if rates[2] else "-"
        click.echo(f"{span:>12}  {rates[0]:8.4f} {rates[1]:8.4f} {rates[2]:8.4f}   {lift:>14}")

    buckets = asyncio.run(simulation.run(show))
    total = {name: Tally() for name in LISTS}
    for tallies in buckets.values():
        for name in LISTS:
            total[name] = total[name].add(*tallies.get(name, Tally()))
    click.echo(
        f"{'all':>12}  "
        + " ".join(f"{total[n].rate:8.4f}" for n in LISTS)
        + f"   {simulation.failures} failed requests"
    )
    show_arms(simulation.arms)
    if out:
        rows = {
            f"{n * bucket:g}": {k: t._asdict() | {"rate": t.rate} for k, t in b.items()} for n, b in buckets.items()
        }
        arms = {f"{name} {arm}": tally._asdict() for (name, arm), tally in simulation.arms.items()}
        Path(out).write_text(json.dumps({"buckets": rows, "failures": simulation.failures, "arms": arms}, indent=1))
    if simulation.failures and not total["served"].shown:
        raise SimulationError("no request was answered; check that the system is up with: rayapp status")


def show_arms(arms: dict[tuple[str, str], ArmTally]) -> None:
    """Rates by arm, from the simulation's ground truth (which notes are harmful); `rayapp experiment report` has
    intervals."""
    if not arms:
        return
    click.echo(f"{'experiment, arm':>32}  {'shown':>8} {'clicked':>8} {'harmful':>8} {'panels':>8} {'followed':>8}")
    for (name, arm), tally in sorted(arms.items()):
        clicked, harmful = (part / tally.shown if tally.shown else 0.0 for part in (tally.clicked, tally.harmful))
        followed = tally.followed / tally.panels if tally.panels else 0.0
        click.echo(
            f"{f'{name}, {arm}':>32}  {tally.shown:8,} {clicked:8.4f} {harmful:8.4f} {tally.panels:8,} {followed:8.4f}"
        )
