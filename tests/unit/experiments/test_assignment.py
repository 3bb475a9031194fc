"""Arms by hash: the same as the official SDK's, stable, in the shares that were asked for."""

from __future__ import annotations

from pathlib import Path

import growthbook
import msgspec
import pytest
from growthbook import GrowthBook
from hypothesis import given, settings
from hypothesis import strategies as st

from rayapp.experiments.arm_params import ArmParams
from rayapp.experiments.experiment import Arm, Experiment, ExperimentError, load_experiment

TWO = Experiment(
    name="interests-4",
    layer="feed",
    namespace=(0.0, 0.5),
    coverage=0.8,
    arms=(Arm("control", 0.3), Arm("four", 0.7, ArmParams(model="four@7"))),
)


def official(experiment: Experiment, user_id: str) -> str | None:
    found = GrowthBook(attributes={"id": user_id}).run(
        growthbook.Experiment(
            key=experiment.name,
            variations=[arm.name for arm in experiment.arms],
            weights=[arm.weight for arm in experiment.arms],
            coverage=experiment.coverage,
            hashVersion=2,
            namespace=(experiment.layer, *experiment.namespace),
        )
    )
    return found.value if found.inExperiment else None


def ours(experiment: Experiment, user_id: str) -> str | None:
    arm = experiment.arm(user_id)
    return arm.name if arm else None


def test_a_thousand_users_are_where_the_official_sdk_puts_them() -> None:
    users = [f"user-{n}" for n in range(1_000)]
    assert [ours(TWO, u) for u in users] == [official(TWO, u) for u in users]


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1), st.floats(0, 1), st.floats(0.01, 0.99))
def test_any_name_and_share_gives_what_the_official_sdk_gives(
    name: str, layer: str, user_id: str, coverage: float, weight: float
) -> None:
    arms = (Arm("a", weight), Arm("b", 1 - weight))
    experiment = Experiment(name=name, layer=layer, arms=arms, namespace=(0.25, 1.0), coverage=coverage)
    assert ours(experiment, user_id) == official(experiment, user_id)


def test_shares_are_those_of_weights_coverage_and_namespace_and_a_larger_coverage_moves_nobody() -> None:
    users = [f"u{n}" for n in range(20_000)]
    before = [ours(TWO, u) for u in users]
    assert before.count("four") / len(users) == pytest.approx(0.5 * 0.8 * 0.7, abs=0.015)
    after = [ours(msgspec.structs.replace(TWO, coverage=1.0), u) for u in users]
    assert all(new == old for old, new in zip(before, after, strict=True) if old is not None)


def test_the_arms_of_a_model_line() -> None:
    assert TWO.arms_of("four", "redrec") == ("four",)
    assert TWO.arms_of("redrec", "redrec") == ("control",)
    assert TWO.arms_of("other", "redrec") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nlayer: l\narms: [{name: x, weight: 0.5}]", "weights sum to 0.5"),
        ("name: a\nlayer: l\narms: [{name: x, weight: 0.5}, {name: x, weight: 0.5}]", "the same name"),
        ("name: a\nlayer: l\ncoverage: 2\narms: [{name: x, weight: 1}]", "coverage 2"),
        ("name: a\narms: [{name: x, weight: 1}]", "layer"),
        ("name: [", "experiment"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(ExperimentError, match=said):
        load_experiment(tmp_path / "e.yaml")
