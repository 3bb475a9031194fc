from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rayapp.data.vocabulary import Vocabulary
from rayapp.learner.gate import MAX_POSITIVES, MIN_POSITIVES, GateComparison, gate_decision, weight_defect
from rayapp.redrec.model.redrec import ModelConfig, UserSide


def compared(better: float, users: int = 100, each: int = 4, seed: int = 0) -> GateComparison:
    """Candidate ranks are the served ones times `better`, with noise."""
    rng = np.random.default_rng(seed)
    comparison = GateComparison()
    served = rng.integers(1, 50, users * each)
    mine = np.maximum(1, np.round(served * better * rng.lognormal(0, 0.2, len(served)))).astype(int)
    names = [f"u{n // each}" for n in range(users * each)]
    for part in np.array_split(np.arange(len(served)), 7):  # as windows bring them
        comparison.add([names[n] for n in part], mine[part], served[part])
    return comparison


def test_a_worse_candidate_is_rejected_with_its_interval_and_a_better_one_passes() -> None:
    assert gate_decision(None, compared(0.5)) == "passed"
    assert gate_decision(None, compared(1.0)) == "passed"
    verdict = gate_decision(None, compared(3.0))
    assert verdict.startswith("worse than the served version: reciprocal rank -")
    assert "over 100 users" in verdict


def test_too_few_positives_say_nothing_and_a_defect_says_all() -> None:
    few = compared(3.0, users=20, each=4)
    assert few.positives < MIN_POSITIVES
    assert gate_decision(None, few) == "unproven"
    assert gate_decision("weights are not finite: gate", few) == "weights are not finite: gate"


def test_equal_models_are_rarely_rejected() -> None:
    rejected = sum(gate_decision(None, compared(1.0, seed=seed)) != "passed" for seed in range(200))
    # Two-sided 95%: one in forty, more or less three standard errors.
    assert rejected <= 200 / 40 + 3 * np.sqrt(200 * 0.025 * 0.975)


def test_the_interval_is_student_t_over_users() -> None:
    comparison = compared(1.5)
    found = comparison.result()
    means = np.array([(a / n, b / n) for a, b, n in comparison.sums.values()])
    reference = stats.ttest_rel(means[:, 0], means[:, 1])
    low, high = reference.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.users == 100
    assert json.loads(json.dumps(found._asdict()))["positives"] == 400


@settings(max_examples=30)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_windows_may_cut_the_positives_anywhere(ranks: list[int], random) -> None:  # type: ignore[no-untyped-def]
    users = [f"u{random.randrange(5)}" for _ in ranks]
    whole, parts = GateComparison(), GateComparison()
    mine, theirs = np.array(ranks), np.array(ranks[::-1])
    whole.add(users, mine, theirs)
    cut = random.randrange(len(ranks))
    parts.add(users[:cut], mine[:cut], theirs[:cut])
    parts.add(users[cut:], mine[cut:], theirs[cut:])
    assert parts.result() == pytest.approx(whole.result())
    assert whole.room == MAX_POSITIVES - len(ranks)


def test_sanity() -> None:
    served = UserSide(ModelConfig(dim=8, width=16, heads=2), Vocabulary(("a",), ("click",)))
    assert weight_defect(copy.deepcopy(served), served) is None
    broken = copy.deepcopy(served)
    with torch.no_grad():
        broken.head.refine.weight[0, 0] = float("nan")
    assert weight_defect(broken, served) == "weights are not finite: head.refine.weight"
    grown = copy.deepcopy(served)
    with torch.no_grad():
        for weight in grown.parameters():
            weight *= 2.5
    assert "norm" in str(weight_defect(grown, served))
