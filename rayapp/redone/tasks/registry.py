"""All tasks by name, and averages of their scores by family."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rayapp.errors import UserError
from rayapp.redone.tasks.chlw import Chlw
from rayapp.redone.tasks.form import Form
from rayapp.redone.tasks.gender import Gender
from rayapp.redone.tasks.hashtag import HashtagMultiple, HashtagSingle
from rayapp.redone.tasks.mrc import MrcComplex, MrcSimple
from rayapp.redone.tasks.ner import Ner
from rayapp.redone.tasks.query_corr import QueryCorrExplain, QueryCorrTopic
from rayapp.redone.tasks.query_gen import QueryGen
from rayapp.redone.tasks.task import Task
from rayapp.redone.tasks.taxonomy import TaxonomyMultiple, TaxonomySingle
from rayapp.redone.tasks.translation import ToChinese, ToEnglish

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        TaxonomySingle(),
        TaxonomyMultiple(),
        HashtagSingle(),
        HashtagMultiple(),
        QueryCorrExplain(),
        QueryCorrTopic(),
        MrcSimple(),
        MrcComplex(),
        Ner(),
        Gender(),
        Chlw(),
        QueryGen(),
        ToChinese(),
        ToEnglish(),
        Form(),
    )
}
SNS_FAMILIES = ("taxonomy", "hashtag", "query_corr", "mrc", "ner", "gender", "chlw", "query_gen")


class UnknownTask(UserError):
    """There is no task of this name."""


def task_of(name: str) -> Task:
    """Raises UnknownTask."""
    if name not in TASKS:
        raise UnknownTask(f"task {name!r} is unknown; use one of {', '.join(TASKS)}")
    return TASKS[name]


def by_family(scores: Mapping[str, float]) -> dict[str, float]:
    """Mean over the sub-tasks of each family that were scored."""
    scores_by_family: dict[str, list[float]] = {}
    for name, score in scores.items():
        scores_by_family.setdefault(task_of(name).family, []).append(score)
    return {family: float(np.mean(values)) for family, values in scores_by_family.items()}


def sns_average(scores: Mapping[str, float]) -> float | None:
    """Mean over the eight families, as in the benchmark; None unless all are present."""
    families = by_family(scores)
    if any(family not in families for family in SNS_FAMILIES):
        return None
    return float(np.mean([families[family] for family in SNS_FAMILIES]))
