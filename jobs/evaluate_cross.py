"""Compare one model of all scenarios with models of single scenarios: leave-one-out within each scenario."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.data.folder import DataFolder
from rayapp.redrec.evaluation.cross import BASELINES, CrossProtocol, Pair, TargetRanks
from rayapp.redrec.evaluation.metrics import summarise
from rayapp.stats.paired import gain
from rayapp.stores.registry import Registry
from rayapp.terminal import print_table

COLD = 5  # items with fewer training events are cold


@job("Compare a model of all scenarios with models of single scenarios on the same targets, paired by user.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with several scenarios.")
@click.option("--together", required=True, multiple=True, help="Model trained with --split scenario (repeatable).")
@click.option(
    "--alone",
    multiple=True,
    help="Model trained with --split scenario --scenario NAME, one per scenario (repeatable); "
    "without any, the other models are compared with the first.",
)
@click.option("--models", type=str, help="Registry root; default: <state>/models.")
@click.option(
    "--target",
    type=click.Choice(["test", "validation"]),
    default="test",
    help="Target event: the last of each scenario (test) or the one before (validation).",
)
@click.option(
    "--knn-decay", default=0.6, help="item-kNN: factor on a history item's weight per position before the newest."
)
def main(
    config: Config,
    *,
    data: str,
    together: tuple[str, ...],
    alone: tuple[str, ...],
    models: str | None,
    target: str,
    knn_decay: float,
) -> dict[str, Any]:
    root = models or f"{config.state}/models"
    protocol = CrossProtocol(DataFolder(data), 1 if target == "test" else 2)
    arms = protocol.baselines(knn_decay)
    pairs = sorted(arms["popularity"].rows)
    single: dict[Pair, tuple[TargetRanks, int]] = {}
    for name in alone:
        scenarios, judged = protocol.of_model(Registry(root, name))
        if len(scenarios) != 1:
            raise JobError(f"{name} was trained on {', '.join(scenarios) or 'every scenario'}, not on one alone")
        single |= {pair: (judged, row) for pair, row in judged.rows.items()}
    ranks = {label: judged.of(pairs) for label, judged in arms.items()}
    if alone:
        missing = {scenario for pair in pairs if pair not in single for scenario in pair[1:]}
        if missing:
            raise JobError(f"--alone: no model answers for scenario {', '.join(sorted(missing))}")
        rows_of_models = [single[pair] for pair in pairs]
        ranks["each alone"] = {m: np.array([j.ranks[m][row] for j, row in rows_of_models]) for m in ("kept", "masked")}
    for name in together:
        ranks[name] = protocol.of_model(Registry(root, name))[1].of(pairs)
    targets = arms["popularity"].targets[[arms["popularity"].rows[pair] for pair in pairs]]
    groups = groups_of(pairs, protocol.trained[targets] < COLD)
    return {"data": data, "target": target} | report(ranks, np.array([user for user, _ in pairs]), groups)


def groups_of(pairs: list[Pair], cold: np.ndarray) -> dict[str, np.ndarray]:
    """Groups of targets by name, as masks bool [N]."""
    users, scenarios = (np.array(column) for column in zip(*pairs, strict=True))
    _, owner, count = np.unique(users, return_inverse=True, return_counts=True)
    several = count[owner] > 1
    return {
        "all": np.ones(len(pairs), dtype=bool),
        "users of several scenarios": several,
        **{f"their {name}": several & (scenarios == name) for name in sorted(set(scenarios))},
        "users of one scenario": ~several,
        f"targets with fewer than {COLD} training events": cold,
    }


def report(ranks: dict[str, dict[str, np.ndarray]], users: np.ndarray, groups: dict[str, np.ndarray]) -> dict[str, Any]:
    """Print tables; return all metrics, with gains over the single-scenario models (or over the first model)."""
    result: dict[str, Any] = {"groups": {}}
    reference = "each alone" if "each alone" in ranks else next(arm for arm in ranks if arm not in BASELINES)
    for label, member in groups.items():
        rows, results = [], {}
        for arm, masks in ranks.items():
            results[arm] = {mask: summarise(arm_ranks[member]) for mask, arm_ranks in masks.items()}
            hits = {mask: arm_ranks[member] <= 10 for mask, arm_ranks in masks.items()}
            over = {}
            if arm not in (*BASELINES, reference) and member.any():
                before = {mask: arm_ranks[member] <= 10 for mask, arm_ranks in ranks[reference].items()}
                over = {mask: gain(users[member], before[mask], hits[mask]) for mask in hits}
                results[arm][f"over {reference}, hr@10"] = {mask: g._asdict() for mask, g in over.items()}
            rows.append(
                [
                    arm,
                    *(results[arm][mask].get(k, 0.0) for mask in ("kept", "masked") for k in ("hr@10", "ndcg@10")),
                    *(f"{g.relative:+.1%} ({g.relative_low:+.1%} to {g.relative_high:+.1%})" for g in over.values()),
                ]
            )
        result["groups"][label] = {"targets": int(member.sum()), "arms": results}
        columns = ["", "HR@10 kept", "NDCG@10", "HR@10 masked", "NDCG@10", f"HR@10 over {reference}, kept", "masked"]
        print_table(f"{label}: {int(member.sum()):,} targets", columns, [row + [""] * (7 - len(row)) for row in rows])
    return result


if __name__ == "__main__":
    main()
