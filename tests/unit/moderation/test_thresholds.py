"""A set's own line is found on its dev split and holds on others of the same set."""

from __future__ import annotations

import numpy as np
import pytest

from rayapp.moderation.thresholds import decide, fit


def notes(count: int, seed: int, bias: float, names: tuple[str, ...]) -> tuple[list[dict[str, float]], list[str]]:
    """A model that knows the truth, but says `none` too readily by `bias`."""
    rng = np.random.default_rng(seed)
    labels, truths = [], []
    for _ in range(count):
        truth = names[int(rng.integers(len(names)))]
        logits = np.array([2.0 * (name == truth) + (bias if name == "none" else 0.0) for name in names])
        shares = np.exp(logits + rng.normal(0, 0.7, len(names)))
        labels.append(dict(zip(names, (shares / shares.sum()).tolist(), strict=True)))
        truths.append(truth)
    return labels, truths


@pytest.mark.parametrize("names", [("none", "hate"), ("none", "harassment", "hate")])
def test_a_model_that_is_too_mild_is_set_right(names: tuple[str, ...]) -> None:
    shifts = fit(*notes(500, 0, 3.0, names), frozenset(names))
    assert all(shifts[name] - shifts["none"] == pytest.approx(3.0, abs=0.8) for name in names[1:])
    labels, truths = notes(500, 1, 3.0, names)
    plain = np.mean([max(sorted(names), key=row.__getitem__) == t for row, t in zip(labels, truths, strict=True)])
    found = np.mean([decide(row, shifts) == t for row, t in zip(labels, truths, strict=True)])
    assert found > plain + 0.2


def test_what_is_right_already_stays_and_labels_of_other_categories_are_not_asked() -> None:
    labels = [{"none": 0.9, "hate": 0.1, "spam": 0.95}, {"none": 0.1, "hate": 0.9, "spam": 0.95}]
    shifts = fit(labels, ["none", "hate"], frozenset({"none", "hate"}))
    assert shifts == {"hate": 0.0, "none": 0.0}
    assert [decide(row, shifts) for row in labels] == ["none", "hate"]
