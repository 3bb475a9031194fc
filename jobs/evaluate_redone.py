"""RedOne on its tasks: so far moderation, zero-shot or trained, beside baselines and published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union

from jobs._job import job, print_table
from jobs._judging import judge_labels, offline_judge
from rayapp.config import Config
from rayapp.redone.label_sets import SETS, LabelSet, read_split

RESAMPLES = 300


@job("Macro-F1 on the test splits of labelled sets: the model by likelihood, TF-IDF, the commonest label, published.")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder with moderation/ and tweeteval/.")
@click.option("--model", help="Hugging Face id or folder; default: the configured one.")
@click.option("--limit", default=0, help="Notes of each test split, from its start (0: all).")
def main(config: Config, data: Path, model: str | None, limit: int) -> dict[str, Any]:
    tests = {s.name: read_split(data, s, "test") for s in SETS}
    if limit:
        tests = {name: (texts[:limit], truths[:limit]) for name, (texts, truths) in tests.items()}
    judge = offline_judge(config, model)
    found = judge_labels(judge, [text for texts, _ in tests.values() for text in texts])
    result: dict[str, Any] = {"model": judge.model_version, "policy": judge.policy.version, "sets": {}}
    start = 0
    for labelled in SETS:
        texts, truths = tests[labelled.name]
        labels = found[start : start + len(texts)]
        start += len(texts)
        rows = _arms(labelled, data, texts, truths, labels)
        rows += [(f"{who} (published)", value, value, value) for who, _, value in labelled.published]
        result["sets"][labelled.name] = {name: [score, low, high] for name, score, low, high in rows}
        title = f"{labelled.name}, test split: {len(texts):,} notes"
        print_table(title, ["", "macro-F1", "low 95%", "high"], [list(row) for row in rows])
    return result


def _arms(
    labelled: LabelSet,
    data: Path,
    texts: list[str],
    truths: list[str],
    labels: list[dict[str, float]],
) -> list[tuple[str, float, float, float]]:
    said = {"zero-shot, likelihood": [_best(row, labelled) for row in labels]}
    train_texts, train_truths = read_split(data, labelled, "train")
    words = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=5, sublinear_tf=True),
    )
    model = make_pipeline(words, LogisticRegression(C=4.0, max_iter=1000, class_weight="balanced"))
    said["TF-IDF and logistic regression"] = list(model.fit(train_texts, train_truths).predict(texts))
    said["always the commonest label"] = [max(set(train_truths), key=train_truths.count)] * len(texts)
    return [(name, *_interval(np.array(truths), np.array(answers))) for name, answers in said.items()]


def _best(labels: dict[str, float], labelled: LabelSet) -> str:
    """The likeliest of what the set could have said."""
    return max(sorted(labelled.possible), key=lambda name: labels[name])


def _interval(truths: np.ndarray, answers: np.ndarray) -> tuple[float, float, float]:
    """Macro-F1 with a bootstrap interval over notes."""
    names = sorted(set(truths))
    rng = np.random.default_rng(0)
    draws = (rng.integers(len(truths), size=len(truths)) for _ in range(RESAMPLES))
    scores = [_macro_f1(truths[rows], answers[rows], names) for rows in draws]
    low, high = np.quantile(scores, [0.025, 0.975])
    return _macro_f1(truths, answers, names), float(low), float(high)


def _macro_f1(truths: np.ndarray, answers: np.ndarray, names: list[str]) -> float:
    return float(f1_score(truths, answers, labels=names, average="macro", zero_division=0))


if __name__ == "__main__":
    main()
