"""That a known distortion is undone, and that nothing is claimed about categories nobody labelled."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayapp.llm.base_model import PACKAGED, TRAINED, model_folder
from rayapp.llm.model_version import model_version
from rayapp.moderation.calibration import (
    Calibration,
    CalibrationError,
    Labelled,
    described,
    fit,
    load_calibration,
    prevalence_weights,
)
from rayapp.moderation.policy import load_policy

POLICY = load_policy()
IDENTITY = Calibration("m", described(POLICY), 1.0, {}, [], 1, 0.1)


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


@pytest.fixture(scope="module")
def distorted() -> list[Labelled]:
    """Truth drawn from a distribution; the model says it three times as surely and with a bias for hate."""
    rng = np.random.default_rng(0)
    names = POLICY.names
    notes = []
    for _ in range(4000):
        true = rng.normal(size=len(names)) * [1, 1, 1, 0, 0, 0, 0, 0, 0] + [0, 0, -1, -9, -9, -9, -9, -9, -9]
        truth = names[rng.choice(len(names), p=softmax(true))]
        said = softmax(3 * true + [0, 2, 0, 0, 0, 0, 0, 0, 0])
        labels = dict(zip(names, said.tolist(), strict=True))
        if truth in names[:3]:
            notes.append(Labelled(labels, truth, frozenset(names[:3])))
    return notes


def test_a_distortion_is_undone(distorted: list[Labelled]) -> None:
    found = fit("m", POLICY, distorted, 0.1)
    assert found.temperature == pytest.approx(3, rel=0.2)
    assert found.shifts[POLICY.names[1]] == pytest.approx(-2 / 3, abs=0.15)
    assert found.calibrated == sorted(POLICY.names[1:3])
    certain = [found.apply(note.labels)["none"] for note in distorted]
    right = np.array([note.truth == "none" for note in distorted])
    for low in np.arange(0.1, 0.9, 0.2):
        inside = (np.array(certain) >= low) & (np.array(certain) < low + 0.2)
        assert right[inside].mean() == pytest.approx(np.array(certain)[inside].mean(), abs=0.06)


@given(st.lists(st.floats(0.001, 1), min_size=9, max_size=9), st.floats(0.2, 5), st.floats(-5, 5))
def test_calibrated_labels_are_a_distribution(weights: list[float], temperature: float, shift: float) -> None:
    labels = dict(zip(POLICY.names, (np.array(weights) / sum(weights)).tolist(), strict=True))
    found = msgspec.structs.replace(IDENTITY, temperature=temperature, shifts={"hate": shift}).apply(labels)
    assert sum(found.values()) == pytest.approx(1)
    assert IDENTITY.apply(labels) == pytest.approx(labels)


def test_a_set_full_of_hate_does_not_make_every_note_hateful() -> None:
    """A model that knows nothing: nine of ten labelled notes are hateful, one of twenty notes of the network is."""
    truths = ["hate"] * 900 + ["none"] * 100
    labels = dict.fromkeys(POLICY.names, 1 / len(POLICY.names))
    weights = prevalence_weights(truths, 0.05)
    assert sum(weights) == pytest.approx(1000)
    possible = frozenset(["none", "hate"])
    notes = [Labelled(labels, truth, possible, weight) for truth, weight in zip(truths, weights, strict=True)]
    found = fit("m", POLICY, notes, 0.05).apply({"none": 0.5, "hate": 0.5})
    assert found["hate"] == pytest.approx(0.05, abs=0.01)
    with pytest.raises(ValueError, match=r"prevalence == 0.6"):
        prevalence_weights(["none", "hate", "spam"], 0.6)


def test_it_is_used_for_its_model_and_its_categories_alone(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_bytes(msgspec.json.encode(IDENTITY))
    assert load_calibration(file, "m", POLICY) == IDENTITY
    assert load_calibration(file, "other", POLICY) is None
    fewer = msgspec.structs.replace(POLICY, categories={"hate": POLICY.categories["hate"]})
    assert load_calibration(file, "m", fewer) is None
    with pytest.raises(CalibrationError, match=r"none.json cannot be read"):
        load_calibration(tmp_path / "none.json", "m", POLICY)
    file.write_text("{}")
    with pytest.raises(CalibrationError, match="missing required field"):
        load_calibration(file, "m", POLICY)


@pytest.mark.parametrize("name", [PACKAGED, TRAINED])
def test_the_packaged_models_have_their_calibration(name: str, language_model: Path) -> None:
    version = model_version(model_folder(name, language_model.parent))
    found = load_calibration(None, version, POLICY)
    assert found is not None, f"run jobs.calibrate_moderation for {version}"
    assert set(found.calibrated) == {"hate", "sexism", "harassment"}
