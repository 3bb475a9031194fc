"""The report of a prequential run: metrics by time, by part of the stream and by arm; arms compared by user."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rayapp.stats.student import paired_by_user

METRICS = ("hr@10", "hr@50", "mrr")


def metrics(ranks: np.ndarray) -> dict[str, float]:
    """HR@10, HR@50, MRR of ranks [N]."""
    if not len(ranks):
        return dict.fromkeys(METRICS, float("nan"))
    return {
        "hr@10": float((ranks <= 10).mean()),
        "hr@50": float((ranks <= 50).mean()),
        "mrr": float((1.0 / ranks).mean()),
    }


def paired(users: np.ndarray, ranks: np.ndarray, reference_ranks: np.ndarray) -> dict[str, float]:
    """Difference in HR@10, the mean over users with its 95% interval (Student's t)."""
    interval = paired_by_user(users, ranks <= 10, reference_ranks <= 10)
    return {"difference": interval.mean, "low": interval.low, "high": interval.high, "users": interval.n}


def report(
    names: list[str], ranks: np.ndarray, about: list[tuple[int, str, bool, bool]], bucket_ms: int
) -> dict[str, Any]:
    """Metrics as plain values. `names`: the arms, longest interval first, then two baselines; `ranks`: [events, names].

    `about`: (time in ms, user, known item, user's first event) of each event.
    """
    times, users, known, first = (np.array(column) for column in zip(*about, strict=True))
    parts = {
        "all": np.ones(len(ranks), dtype=bool),
        "known items": known,
        "new items": ~known,
        "users' first events": first,
        "later events": ~first,
    }
    bucket = (times - times.min()) // bucket_ms
    arms = names[:-2]
    return {
        "events": len(ranks),
        "parts": {
            part: {"events": int(mask.sum()), "arms": {n: metrics(ranks[mask, i]) for i, n in enumerate(names)}}
            for part, mask in parts.items()
        },
        "buckets": [
            {
                "start_ms": int(times.min() + b * bucket_ms),
                "events": int((bucket == b).sum()),
                "arms": {n: metrics(ranks[bucket == b, i]) for i, n in enumerate(names)},
            }
            for b in np.unique(bucket).tolist()
        ],
        "shorter against longer": {
            f"{shorter} - {longer}": paired(users, ranks[:, i + 1], ranks[:, i])
            for i, (longer, shorter) in enumerate(pairwise(arms))
        },
        "newest against baselines": {
            f"{arms[-1]} - {names[n]}": paired(users, ranks[:, len(arms) - 1], ranks[:, n]) for n in (-2, -1)
        },
    }


def plot(result: dict[str, Any], names: list[str], file: Path) -> None:
    """HR@10 over event time, one line per arm, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, axes = pyplot.subplots(figsize=(11, 5), layout="constrained")
    times = np.array([b["start_ms"] for b in result["buckets"]], dtype="datetime64[ms]")
    for n, name in enumerate(names):
        values = [b["arms"][name]["hr@10"] for b in result["buckets"]]
        axes.plot(times, values, "--" if n >= len(names) - 2 else "-", label=name, linewidth=1.5)
    axes.set(ylabel="HR@10, all items ranked", xlabel="event time (UTC)")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator()))
    axes.grid(alpha=0.3)
    axes.legend(ncols=2, frameon=False)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
