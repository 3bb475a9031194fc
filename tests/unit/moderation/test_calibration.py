"""Thresholds by budget, and that nothing is claimed about what nobody labelled."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rayapp.domain import Decision
from rayapp.llm.base_model import TRAINED, model_folder
from rayapp.llm.model_version import model_version
from rayapp.moderation.calibration import (
    ALWAYS,
    RATES,
    CalibrationError,
    Curve,
    calibration_of,
    load_calibration,
    log_odds,
    uncalibrated,
)
from rayapp.moderation.fast.stage import FastStage
from rayapp.moderation.policy import Budget, Category, Threshold, load_policy
from tests.scripted_classifier import FAST, calibrated

POLICY = load_policy()


def test_a_budget_chooses_the_thresholds() -> None:
    found = calibrated(POLICY).thresholds(POLICY)
    assert found["spam"] == Threshold(0.5, 0.8, Decision.BLOCK)
    stricter = calibrated(POLICY).thresholds(replace(POLICY, budget=Budget(limit=0.1, block=0.05)))
    assert stricter["spam"].limit < 0.5 == stricter["spam"].block


def test_numbers_in_the_policy_win() -> None:
    own = {**POLICY.categories, "spam": Category("x", limit=0.3), "fraud": Category("x", block=0.4)}
    found = calibrated(POLICY).thresholds(replace(POLICY, categories=own))
    assert found["spam"] == Threshold(0.3, 0.8, Decision.BLOCK)
    assert found["fraud"] == Threshold(0.5, 0.5, Decision.BLOCK), "a block is never below a limit"


def test_a_category_that_was_not_held_against_the_truth_goes_no_further_than_the_policy_trusts_it() -> None:
    known = calibrated(POLICY)
    weak = replace(known, curves={**known.curves, "spam": replace(known.curves["spam"], weak=True)})
    assert weak.thresholds(POLICY)["spam"].most is Decision.ALLOW
    assert weak.thresholds(replace(POLICY, uncalibrated=Decision.LIMIT))["spam"].most is Decision.LIMIT
    nothing = uncalibrated(FAST, "", POLICY).thresholds(POLICY)
    assert set(nothing.values()) == {Threshold(ALWAYS, ALWAYS, Decision.ALLOW)}


@given(st.lists(st.floats(0, 1), min_size=len(RATES), max_size=len(RATES)), st.sampled_from(RATES))
def test_a_curve_says_at_its_rates_what_it_was_given(steps: list[float], rate: float) -> None:
    assert Curve(steps, []).at(rate) == pytest.approx(steps[RATES.index(rate)])


@given(st.floats(0, 1))
def test_log_odds_are_finite(probability: float) -> None:
    assert abs(log_odds(probability)) < 14


def test_it_is_used_for_its_models_and_its_categories_alone(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    known = calibrated(POLICY, "m")
    file.write_bytes(msgspec.json.encode(known))
    assert load_calibration(file, FAST, "m", POLICY) == known
    assert load_calibration(file, FAST, "other", POLICY) is None
    assert load_calibration(file, "fast-other", "m", POLICY) is None
    fewer = replace(POLICY, categories={"hate": POLICY.categories["hate"]})
    assert load_calibration(file, FAST, "m", fewer) is None
    file.write_bytes(msgspec.json.encode(replace(known, llm="")))
    assert load_calibration(file, FAST, "", fewer) is not None, "a classifier reads no descriptions"
    with pytest.raises(CalibrationError, match=r"none.json cannot be read"):
        load_calibration(tmp_path / "none.json", FAST, "m", POLICY)
    file.write_text("{}")
    with pytest.raises(CalibrationError, match="missing required field"):
        load_calibration(file, FAST, "m", POLICY)


@pytest.mark.parametrize("name", ["", TRAINED])
def test_the_packaged_model_and_the_classifier_alone_have_their_calibration(name: str, language_model: Path) -> None:
    version = model_version(model_folder(name, language_model.parent)) if name else ""
    found = load_calibration(None, FastStage.open().version, version, POLICY)
    assert found is not None, f"run jobs.calibrate_moderation for {version or 'the classifier alone'}"
    assert set(found.curves) == set(POLICY.categories)
    assert not [category for category, curve in found.curves.items() if curve.weak]
    for curve in found.curves.values():
        assert curve.thresholds == sorted(curve.thresholds, reverse=True)
        assert curve.recall == sorted(curve.recall)


def test_a_file_of_the_classifier_alone_serves_with_and_without_a_language_model(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    own = calibrated(POLICY)
    file.write_bytes(msgspec.json.encode(own))
    assert calibration_of(file, FAST, "", POLICY) == own
    assert calibration_of(file, FAST, "m", POLICY) == own
    assert calibration_of(file, "fast-other", "m", POLICY) is None
    packaged = FastStage.open().version
    assert calibration_of(file, packaged, "", POLICY) == calibration_of("", packaged, "m", POLICY) is not None
