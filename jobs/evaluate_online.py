"""The value of fresh parameters: a log replayed in event time, one learner served at different intervals.

Of the events before `--start` the older part trains the first model, and the
learner learns from the rest. From the start on every arm ranks each event
among all items before any model learns from it (prequential evaluation).
All arms have the newest histories, an index with the newest items and an
additive decayed log-popularity term; they differ in the age of their parameters.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from jobs import RECIPES
from rayapp.cli.job import JobError, job, option_object
from rayapp.config import Config
from rayapp.content.cached import encoded_texts
from rayapp.data.folder import DataFolder, bootstrap_events
from rayapp.domain import Event
from rayapp.parsing import convert
from rayapp.redrec.evaluation.prequential_report import METRICS, plot, report
from rayapp.redrec.evaluation.prequential_run import PrequentialRun, Settings
from rayapp.redrec.model.artifact import ItemSpace
from rayapp.redrec.online.online_model import USER_FILES, OnlineModel
from rayapp.redrec.training.trainer import TrainConfig
from rayapp.stores.registry import Registry
from rayapp.terminal import console, print_table
from rayapp.training.child import in_child
from rayapp.training.progress import lines
from rayapp.training.redrec import RunOptions, train
from rayapp.training.redrec_settings import load_train_config

UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SAVE_EVERY_S = 300.0
# Settings that schedule a running system; here events do.
WHEN = {"max_age_s", "publish_s", "gate_wait_s", "max_rows", "on_gap", "keep_versions", "workers"}


def duration_ms(text: str) -> int:
    """`10m`, `1h`, `30d` to milliseconds. Raises JobError."""
    try:
        return int(float(text[:-1]) * UNITS[text[-1]])
    except (KeyError, ValueError, IndexError):
        raise JobError(f"duration {text!r}: give a number and one of {', '.join(UNITS)}, such as 10m") from None


def arms_of(text: str) -> dict[str, int | None]:
    """`frozen,1d,1h,10m,continuous`, longest interval first."""
    arms: dict[str, int | None] = {}
    for name in text.split(","):
        arms[name] = {"frozen": None, "continuous": 0}[name] if name in ("frozen", "continuous") else duration_ms(name)
    order = [float("inf") if interval is None else interval for interval in arms.values()]
    if order != sorted(order, reverse=True):
        raise JobError(f"arms {text!r}: name the longest interval first, frozen before all, continuous last")
    return arms


def start_of(text: str, times: np.ndarray) -> int:
    """An ISO date, or the share of events (such as 0.5) that belongs to the first model."""
    try:
        share = float(text)
    except ValueError:
        try:
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
        except ValueError:
            raise JobError(f"start {text!r}: give an ISO date (UTC) or a share of the events such as 0.5") from None
    if not 0 < share < 1:
        raise JobError(f"start == {share}: a share must lie between 0 and 1")
    return int(np.quantile(times, share))


def first_model(folder: DataFolder, start_ms: int, root: Path, settings: TrainConfig) -> Registry:
    """Train on the events before the start, in a process of its own; a model that exists already is used."""
    registry = Registry(str(root / "models"), "first")
    if registry.pointer("CURRENT") is not None:
        return registry
    before = root / "before"
    before.mkdir(parents=True, exist_ok=True)
    table = folder.interactions()
    pq.write_table(table.filter(pc.less(table["timestamp_ms"], start_ms)), before / "interactions.parquet")
    if (folder.path / "items.parquet").is_file():
        shutil.copy(folder.path / "items.parquet", before)
    in_child(_train_first, settings, before, root)
    return registry


def _train_first(settings: TrainConfig, data: Path, root: Path) -> None:
    train(
        settings,
        DataFolder(data),
        config=Config(state=str(root)),
        registry=Registry(str(root / "models"), "first"),
        options=RunOptions(holdout=1),
        progress=lines(console.print),
    )


@job("Prequential HR and MRR over event time, from frozen parameters to continuous updates; table and plot. Resumable.")
@click.option("--data", required=True, type=click.Path(), help="Data folder with interactions.parquet.")
@click.option(
    "--start", default="0.5", help="First event to evaluate: an ISO date (UTC), or the share of events before it."
)
@click.option("--first-share", default=0.6, help="Share of the events before --start that trains the first model.")
@click.option("--arms", default="frozen,1d,1h,10m,continuous", help="Synchronisation intervals, longest first.")
@click.option("--minutes", default=5.0, help="Training time of the first model.")
@click.option(
    "--train-config",
    type=click.Path(),
    default="feed",
    help="Training settings of the first model, as in train_redrec.",
)
@click.option("--window", default=64, type=click.IntRange(1), help="Events per window.")
@click.option("--limit", default=0, help="Stop after this many events (0: all).")
@click.option("--half-life", default="10m", help="Half-life of the popularity term.")
@click.option("--baseline", default="10m", help="Window of the popularity baseline.")
@click.option("--bucket", default="1h", help="Event time per row of the table and point of the plot.")
@click.option(
    "--learner", "learner_json", default="{}", help="JSON of learner settings, over those of the configuration."
)
@click.option("--seed", default=0, help="Seed of the first model and of the learner.")
@click.option("--plot", "plot_file", type=click.Path(), help="Plot file (PNG); default: in the run's state folder.")
def main(config: Config, **options: Any) -> dict[str, Any]:
    folder = DataFolder(options["data"])
    arms = arms_of(options["arms"])
    half_life, baseline, bucket = (duration_ms(options[name]) for name in ("half_life", "baseline", "bucket"))
    given = option_object("--learner", options["learner_json"])
    learner = convert(
        {**msgspec.to_builtins(config.learner), **given, "seed": options["seed"]},
        type(config.learner),
        what="--learner",
    )
    times = folder.interactions()["timestamp_ms"].to_numpy()
    start_ms = start_of(options["start"], times)
    if not (times < start_ms).any() or not (times >= start_ms).any():
        raise JobError(f"start {options['start']}: there must be events before and after it; choose another")
    first_ms = int(np.quantile(times[times < start_ms], options["first_share"]))
    first = [folder.digest(), first_ms, options["minutes"], options["train_config"], options["seed"]]
    root = (config.state_path / "evaluate_online" / _key(first)).resolve()
    overrides = {"minutes": options["minutes"], "seed": options["seed"]}
    registry = first_model(
        folder, first_ms, root, load_train_config(options["train_config"], overrides, packaged=RECIPES)
    )
    events = list(bootstrap_events(folder))
    split = next(n for n, e in enumerate(events) if e.timestamp_ms >= first_ms)
    stream = events[split:][: options["limit"] or None]
    settings = Settings(arms, start_ms, half_life, baseline)
    same = {name: value for name, value in options.items() if name not in ("plot_file", "learner_json")}
    steps = {name: value for name, value in msgspec.to_builtins(learner).items() if name not in WHEN}
    saved = root / f"run-{_key([same, steps])}"
    run = _resumed(
        registry,
        learner,
        settings=settings,
        saved=saved,
        before=events[:split],
        encode=partial(encoded_texts, cache=config.encoder_cache, say=console.print),
    )
    _replay(run, stream, window=options["window"], saved=saved, bucket_ms=bucket)
    if not run.ranks:
        raise JobError(f"--limit {options['limit']} ends before the start: raise it")
    names = [*arms, f"popularity, half-life {options['half_life']}", f"popularity, last {options['baseline']}"]
    result = report(names, np.concatenate(run.ranks), run.about, bucket)
    file = Path(options["plot_file"] or root / "hr10.png")
    plot(result, names, file)
    _show(result, names, folder)
    console.print(f"plot: {file}")
    return {"data": str(folder.path), "options": options, **result}


def _resumed(
    registry: Registry,
    learner: Any,
    *,
    settings: Settings,
    saved: Path,
    before: list[Event],
    encode: Callable[[str, list[str]], np.ndarray],
) -> PrequentialRun:
    manifest = registry.manifest(registry.resolve("CURRENT"))
    if USER_FILES[0] in registry.dropped(manifest.version):
        raise JobError(f"{registry.name}@{manifest.version} no longer remembers its users; evaluate a newer version")
    space = ItemSpace(registry.space_folder(manifest.space), manifest.config)
    torch.manual_seed(learner.seed)
    no_text = space.project(encode(space.encoder, [""]), [""])[0]
    if (saved / "run.pt").is_file():
        run = PrequentialRun.load(saved, manifest.config, space, learner=learner, settings=settings, no_text=no_text)
        console.print(f"resumed after {run.done:,} events")
        return run
    model = OnlineModel.load(registry.fetch(manifest.version), manifest.config, space, settings=learner)
    run = PrequentialRun(model, settings, no_text)
    run.warm(before)
    return run


def _replay(run: PrequentialRun, stream: list[Event], *, window: int, saved: Path, bucket_ms: int) -> None:
    last_save, last_bucket, since = time.monotonic(), None, len(run.ranks)
    start = next((n for n, e in enumerate(stream) if e.timestamp_ms >= run.settings.start_ms), len(stream))
    console.print(f"{start:,} events to learn from, then {len(stream) - start:,} to evaluate")
    while run.done < len(stream):
        end = run.done + window
        part = stream[run.done : start if run.done < start < end else end]  # no window across the start
        loss = run.advance(part)
        bucket = part[-1].timestamp_ms // bucket_ms
        if bucket != last_bucket and len(run.ranks) > since:
            ranks = np.concatenate(run.ranks[since:])
            hits = "  ".join(f"{v:.4f}" for v in (ranks <= 10).mean(0))
            at = datetime.fromtimestamp(part[-1].timestamp_ms / 1000, UTC)
            console.print(f"{at:%Y-%m-%d %H:%M}  {run.done:,} of {len(stream):,}  HR@10 {hits}  loss {loss:.3f}")
            last_bucket, since = bucket, len(run.ranks)
        if time.monotonic() - last_save > SAVE_EVERY_S:
            run.save(saved)
            last_save = time.monotonic()
    run.save(saved)


def _show(result: dict[str, Any], names: list[str], folder: DataFolder) -> None:
    for part, metrics in result["parts"].items():
        rows = [[name, *(metrics["arms"][name][m] for m in METRICS)] for name in names]
        print_table(f"{folder.path.name}, {part}: {metrics['events']:,} events", ["updates", *METRICS], rows)
    pairs = {**result["shorter against longer"], **result["newest against baselines"]}
    rows = [[name, v["difference"], v["low"], v["high"]] for name, v in pairs.items()]
    print_table("HR@10, paired by user", ["difference", "mean", "low 95%", "high"], rows)


def _key(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, default=str, sort_keys=True).encode()).hexdigest()[:10]


if __name__ == "__main__":
    main()
