"""Data mixtures by regression (RegMix): on published runs, or on proxy models trained on a recipe's sources."""

from __future__ import annotations

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from rayapp.cli.job import JobError, job
from rayapp.config import Config
from rayapp.data.parquet import read_file
from rayapp.llm.base_model import model_folder
from rayapp.redone.corpus import rules
from rayapp.redone.corpus.mixture import (
    LossRegression,
    best_mixture,
    best_regression,
    random_mixtures,
    rank_correlation,
)
from rayapp.redone.corpus.proxies import HELD_OUT, LENGTH, TextPool, proxy_losses
from rayapp.redone.corpus.source import texts
from rayapp.redone.recipe import Recipe, load_recipe
from rayapp.terminal import console, print_table

SIZES = ("1m", "60m", "1B")
PUBLISHED = {"boosted": (0.990, 0.986, 0.962), "linear": (0.902, 0.893, 0.877)}
TARGET = "metric/the_pile_pile_cc_val_loss"
KINDS = ("boosted", "linear")


@job("Find a mixture of sources by regression on proxy models; with --runs, check the regression on published runs.")
@click.option(
    "--runs", type=click.Path(path_type=Path), help="Folder with regmix_*.parquet: predict losses and compare ranks."
)
@click.option("--recipe", type=click.Path(path_type=Path), help="Recipe whose text sources are to be mixed.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder that contains the sources.")
@click.option("--proxies", default=24, type=click.IntRange(4), help="Number of proxy models, each on a random mixture.")
@click.option("--steps", default=150, type=click.IntRange(10), help="Training steps of each proxy, of 16 x 128 tokens.")
@click.option("--seed", default=0, help="Seed of mixtures and proxy models.")
def main(
    config: Config, *, runs: Path | None, recipe: Path | None, data: Path | None, proxies: int, steps: int, seed: int
) -> dict[str, Any]:
    if (runs is None) == (recipe is None) or (recipe is not None and data is None):
        raise JobError("give --runs FOLDER, or --recipe YAML with --data FOLDER")
    if runs is not None:
        return _published(runs)
    assert recipe is not None
    assert data is not None
    return _searched(config, load_recipe(recipe, "pretrain"), data, proxies=proxies, steps=steps, seed=seed)


def _published(folder: Path) -> dict[str, Any]:
    """Fit on the 512 runs of 1M models; Spearman correlation of predicted and true loss on other mixtures and sizes."""
    shares, losses = _runs(folder, "train", "1m")
    result: dict[str, Any] = {"runs": len(shares)}
    rows: list[list[Any]] = []
    for kind in KINDS:
        model = LossRegression(kind).fit(shares, losses)
        ranks = [
            rank_correlation(model.predict(tests), true) for tests, true in (_runs(folder, "test", s) for s in SIZES)
        ]
        result[kind] = dict(zip(SIZES, ranks, strict=True))
        rows += [[kind, *ranks], [f"{kind} (published)", *PUBLISHED[kind]]]
    print_table("Spearman of predicted and true loss", ["regression", *SIZES], rows)
    return result


def _runs(folder: Path, split: str, size: str) -> tuple[np.ndarray, np.ndarray]:
    """([N, D] shares, [N] loss on Pile-CC, RegMix's target)."""
    files = [folder / f"regmix_{split}_{kind}_{size}.parquet" for kind in ("mixture", "pile_loss")]
    for file in files:
        if not file.is_file():
            raise JobError(f"--runs {folder}: {file.name} is not there; give the folder of the published runs")
    mixture, losses = (read_file(file).to_pandas().set_index("index").sort_index() for file in files)
    if not mixture.index.equals(losses.index):
        raise JobError(f"{files[0].name} and {files[1].name} describe different runs")
    return mixture.to_numpy(dtype=float), losses[TARGET].to_numpy(dtype=float)


def _searched(config: Config, recipe: Recipe, data: Path, *, proxies: int, steps: int, seed: int) -> dict[str, Any]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder(recipe.model, config.llm_cache))
    sources = [source for source in recipe.sources if source.kind == "text"]
    wanted = LENGTH * (HELD_OUT + 16 * steps)
    pools = []
    for source in sources:
        good = (text for text in texts(source, data) if rules.reason(text, recipe.cleaning.rules) is None)
        stream = (
            i for text in good for i in [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
        )
        pools.append(TextPool(source.name, list(islice(stream, wanted))))
        if len(pools[-1].train) < HELD_OUT:
            raise JobError(
                f"source {source.name} has {len(pools[-1].rows)} rows of {LENGTH} tokens; {2 * HELD_OUT} are needed"
            )
    if len(pools) < 2:
        raise JobError("a mixture needs at least two text sources; add some to the recipe")
    prior = np.array([len(pool.rows) for pool in pools], dtype=float)
    prior /= prior.sum()
    mixtures = random_mixtures(prior, proxies, np.random.default_rng(seed))
    key = json.dumps([msgspec.to_builtins(recipe), proxies, steps, seed, str(data.resolve())])
    results_file = config.state_path / "train" / f"mixture-{hashlib.sha256(key.encode()).hexdigest()[:8]}.jsonl"
    results_file.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in results_file.read_text().splitlines()] if results_file.is_file() else []
    console.print(f"{proxies} proxy models on {', '.join(p.name for p in pools)}; {len(done)} trained before")
    for number in range(len(done), proxies):
        pool_losses = proxy_losses(pools, mixtures[number], vocabulary=len(tokenizer), steps=steps, seed=seed)
        done.append(pool_losses.tolist())
        with results_file.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        console.print(f"  {number + 1} of {proxies}: held-out loss {pool_losses.mean():.3f}")
    losses = np.array(done).mean(1)
    model, rank = best_regression(mixtures, losses, seed)
    best, predicted = best_mixture(model, prior, np.random.default_rng(seed))
    even = proxy_losses(pools, prior, vocabulary=len(tokenizer), steps=steps, seed=seed).mean()
    true = proxy_losses(pools, best / best.sum(), vocabulary=len(tokenizer), steps=steps, seed=seed).mean()
    rows = [[pool.name, initial, tuned] for pool, initial, tuned in zip(pools, prior, best, strict=True)]
    print_table("mixture", ["source", "share of the text", "best"], rows)
    console.print(f"regression: {model.kind}; Spearman correlation on held-out runs {rank:.3f}")
    console.print(
        f"held-out loss: in proportion to size {even:.3f}, best mixture {true:.3f} (predicted {predicted:.3f})"
    )
    if true >= even:
        console.print("the mixture is no better than proportions by size; raise --proxies or --steps for a better fit")
    results_file.unlink()
    return {
        "regression": model.kind,
        "rank_correlation": rank,
        "mixture": {pool.name: float(share) for pool, share in zip(pools, best, strict=True)},
        "loss_by_size": float(even),
        "loss_best": float(true),
        "loss_predicted": predicted,
    }


if __name__ == "__main__":
    main()
