"""All of a user's arms in one look, where the request's scenario has them, and what they change."""

from __future__ import annotations

import pytest

from rayapp.experiments.arm_params import DEFAULT, ArmParams
from rayapp.experiments.assignments import NOBODY, Assignments
from rayapp.experiments.experiment import Arm, Experiment, ExperimentError, parse_experiment

FEED = Experiment(
    "interests", "model", (Arm("control", 0.5), Arm("four", 0.5, ArmParams(model="four@candidate", k=10))),
    scenarios=("homefeed",),
)  # fmt: skip
ALL = Experiment(
    "chance", "explore", (Arm("none", 0.5, ArmParams(explore=0.0)), Arm("much", 0.5, ArmParams(explore=0.2)))
)
USERS = [f"u{n}" for n in range(400)]


def test_arms_of_every_experiment_of_the_scenario() -> None:
    found = Assignments([FEED, ALL])
    for user in USERS:
        feed, ads = found.of(user, "homefeed"), found.of(user, "ads")
        arm = FEED.arm(user)
        assert arm is not None
        assert feed.arms == {"chance": ads.arms["chance"], "interests": arm.name}
        assert set(ads.arms) == {"chance"}
        assert feed.params.model == arm.params.model
        assert feed.params.explore == ads.params.explore
        assert ads.params.model is None


def test_layers_are_independent() -> None:
    found = Assignments([FEED, ALL])
    both = [found.of(user, "homefeed").arms for user in USERS]
    share = sum(arms == {"chance": "much", "interests": "four"} for arms in both) / len(both)
    assert share == pytest.approx(0.25, abs=0.08)


def test_where_nothing_runs_nobody_is_in_an_arm() -> None:
    assert Assignments().of("u1", "homefeed") == NOBODY
    assert Assignments([FEED]).of("", "homefeed") == NOBODY
    assert Assignments([FEED]).of("u1", "search") == NOBODY


def test_two_that_change_the_same_are_settled_by_name() -> None:
    first = Experiment("a", "one", (Arm("x", 1.0, ArmParams(k=5)),))
    second = Experiment("b", "two", (Arm("y", 1.0, ArmParams(k=50, llm=False)),))
    assert Assignments([second, first]).of("u1", "homefeed").params == ArmParams(k=5, llm=False)
    assert DEFAULT.over(DEFAULT) == DEFAULT


@pytest.mark.parametrize(
    ("params", "said"),
    [("{modle: a}", "modle"), ("{k: 0}", "k"), ("{ranker: 5}", "Expected `str | null`"), ("{explore: 2}", "explore")],
)
def test_a_parameter_that_is_not_one_is_an_error(params: str, said: str) -> None:
    text = f"name: a\nlayer: l\narms: [{{name: x, weight: 1, params: {params}}}]"
    with pytest.raises(ExperimentError, match=said):
        parse_experiment(text.encode())
