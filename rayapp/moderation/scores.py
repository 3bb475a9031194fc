"""Macro-F1 of moderation on labelled sets: models, TF-IDF with logistic regression, majority class, published."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union

from rayapp.moderation.label_sets import LabelSet, read_split, set_named
from rayapp.moderation.thresholds import decide, fit
from rayapp.stats.bootstrap import draws, interval

Labelled = tuple[list[str], list[str]]


def moderation_scores(
    data: Path, sets: Mapping[str, Labelled], dev: Mapping[str, Labelled], models: Mapping[str, list[dict[str, float]]]
) -> dict[str, Any]:
    """`sets`, `dev`: texts and true categories by the set's name; `models`: labels of all texts, first those of `sets`,
    set after set. With `dev` a model's thresholds are fitted to it, beside its likeliest answer."""
    result: dict[str, Any] = {}
    start, start_dev = 0, sum(len(texts) for texts, _ in sets.values())
    for name, (texts, truths) in sets.items():
        labelled = set_named(name)
        said: dict[str, list[str]] = {}
        for model, labels in models.items():
            own = labels[start : start + len(texts)]
            said[f"{model}, likelihood"] = [_best(row, labelled) for row in own]
            if name in dev:
                before = labels[start_dev : start_dev + len(dev[name][0])]
                shifts = fit(before, dev[name][1], labelled.possible)
                said[f"{model}, thresholds of the dev split"] = [decide(row, shifts) for row in own]
        start += len(texts)
        start_dev += len(dev[name][0]) if name in dev else 0
        said |= _baselines(labelled, data, texts)
        scorer = partial(_macro_f1, names=sorted(set(truths)))
        found = {arm: interval(draws(scorer, list(zip(truths, a, strict=True)))) for arm, a in said.items()}
        rows: list[list[Any]] = [[arm, *values] for arm, values in found.items()]
        rows += [[f"{who} (published)", value, "", ""] for who, _, value in labelled.published]
        result[name] = {row[0]: row[1:] for row in rows}
    return result


def _baselines(labelled: LabelSet, data: Path, texts: list[str]) -> dict[str, list[str]]:
    train_texts, train_truths = read_split(data, labelled, "train")
    words = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=5, sublinear_tf=True),
    )
    model = make_pipeline(words, LogisticRegression(C=4.0, max_iter=1000, class_weight="balanced"))
    return {
        "TF-IDF and logistic regression": list(model.fit(train_texts, train_truths).predict(texts)),
        "always the commonest label": [max(set(train_truths), key=train_truths.count)] * len(texts),
    }


def _best(labels: dict[str, float], labelled: LabelSet) -> str:
    """The likeliest of what the set could have said."""
    return max(sorted(labelled.possible), key=lambda name: labels[name])


def _macro_f1(pairs: Any, names: list[str]) -> float:
    truths, answers = np.array(pairs, dtype=object).T
    return float(f1_score(truths.astype(str), answers.astype(str), labels=names, average="macro", zero_division=0))
