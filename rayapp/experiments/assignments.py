"""A user's arms in all running experiments at once, and what they change of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rayapp.experiments.arm_params import DEFAULT, ArmParams
from rayapp.experiments.experiment import Experiment


class Assigned(NamedTuple):
    """`arms`: by experiment, as answers and exposures name them."""

    arms: dict[str, str]
    params: ArmParams


NOBODY = Assigned({}, DEFAULT)


class Assignments:
    """Immutable: another set of running experiments is another object, so a request sees one of them whole.

    Only experiments of the request's scenario count: an exposure belongs where arms differ, not wherever a user is.
    Layers change different things of a request; where two change the same, the experiment whose name comes first wins.
    """

    def __init__(self, running: Iterable[Experiment] = ()) -> None:
        self.running = tuple(sorted(running, key=lambda experiment: experiment.name))

    def of(self, user_id: str, scenario: str) -> Assigned:
        if not self.running or not user_id:
            return NOBODY
        arms: dict[str, str] = {}
        params = DEFAULT
        for experiment in self.running:
            if experiment.scenarios and scenario not in experiment.scenarios:
                continue
            arm = experiment.arm(user_id)
            if arm is not None:
                arms[experiment.name] = arm.name
                params = params.over(arm.params)
        return Assigned(arms, params) if arms else NOBODY
