"""An experiment as its YAML says it (contract, "Experiments")."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec

from rayapp.errors import UserError
from rayapp.experiments.arm_params import DEFAULT, ArmParams
from rayapp.experiments.assignment import arm_of, in_namespace
from rayapp.experiments.metric import COUNTS, DEFAULT_METRICS, LATENCIES, Guardrail, Metric
from rayapp.parsing import Unreadable, convert, yaml_value

MAX_BYTES = 8 * 1024  # of an experiment's text; an experiment of twenty arms has three thousand
SUM_ERROR = 1e-6  # thirds do not sum to 1


class ExperimentError(UserError):
    """An experiment that cannot be used; the text says why."""


class Arm(msgspec.Struct, frozen=True):
    """A share of the experiment's users and what is different for them."""

    name: str
    weight: float
    params: ArmParams = DEFAULT


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes part, in which arm, and what is compared. The first arm is the control.

    Without a namespace the experiment takes its whole layer, without scenarios it is in all of them.
    """

    name: str
    layer: str
    arms: tuple[Arm, ...]
    unit: Literal["user"] = "user"
    namespace: tuple[float, float] = (0.0, 1.0)
    coverage: float = 1.0
    scenarios: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = DEFAULT_METRICS
    guardrails: tuple[Guardrail, ...] = ()

    def __post_init__(self) -> None:
        for arm in self.arms:
            if not 0 <= arm.weight <= 1 + SUM_ERROR:  # not a number is in no range
                raise ExperimentError(
                    f"experiment {self.name}, arm {arm.name}: weight {arm.weight:g}, must be between 0 and 1"
                )
        total = math.fsum(arm.weight for arm in self.arms)
        if abs(total - 1) > SUM_ERROR:
            raise ExperimentError(f"experiment {self.name}: weights sum to {total:g}, must be 1")
        for what, names in (("arms", [a.name for a in self.arms]), ("metrics", [m.name for m in self.metrics])):
            if len(set(names)) < len(names):
                raise ExperimentError(f"experiment {self.name}: two {what} have the same name")
        if not 0 <= self.coverage <= 1:
            raise ExperimentError(f"experiment {self.name}: coverage {self.coverage:g}, must be between 0 and 1")
        if not 0 <= self.namespace[0] < self.namespace[1] <= 1:
            raise ExperimentError(
                f"experiment {self.name}: namespace {list(self.namespace)}, must be [start, end) within [0, 1]"
            )
        for metric in self.metrics:
            for count in metric.counts:
                if count not in COUNTS:
                    where = f"experiment {self.name}, metric {metric.name}"
                    raise ExperimentError(f"{where}: nothing counts {count!r}; use {', '.join(COUNTS)}")
        known = (*LATENCIES, *(metric.name for metric in self.metrics))
        for guardrail in self.guardrails:
            if guardrail.metric not in known:
                raise ExperimentError(
                    f"experiment {self.name}: there is no {guardrail.metric!r} to guard; use {', '.join(known)}"
                )
            for bound, limit in (("max", guardrail.max), ("min", guardrail.min)):
                if limit is not None and not math.isfinite(limit):
                    where = f"experiment {self.name}, guardrail {guardrail.metric}"
                    raise ExperimentError(f"{where}: {bound} {limit:g}, must be a finite number")

    @property
    def control(self) -> Arm:
        return self.arms[0]

    def arm(self, user_id: str) -> Arm | None:
        """The user's arm; None for those who do not take part."""
        if not in_namespace(self.layer, self.namespace, user_id):
            return None
        index = arm_of(self.name, user_id, [arm.weight for arm in self.arms], self.coverage)
        return None if index is None else self.arms[index]

    def arms_of(self, model: str, default: str) -> tuple[str, ...]:
        """Names of the arms that a model line serves; an arm that names none has the default model."""
        found = ((arm.name, arm.params.model or default) for arm in self.arms)
        return tuple(name for name, served in found if served.split("@")[0] == model)

    def meets(self, other: Experiment) -> bool:
        """Whether a user could be in both: the same layer, and namespaces that overlap."""
        (a, b), (c, d) = self.namespace, other.namespace
        return self.layer == other.layer and a < d and c < b


def load_experiment(file: str | Path) -> Experiment:
    """Raises ExperimentError."""
    try:
        return parse_experiment(Path(file).read_bytes(), f"experiment {file}")
    except OSError as error:
        raise ExperimentError(f"experiment {file} cannot be read: {error.strerror}") from None


def parse_experiment(text: bytes, what: str = "experiment") -> Experiment:
    """YAML, of which JSON is a part, of at most MAX_BYTES. Raises ExperimentError."""
    try:
        return convert(yaml_value(text, what=what, max_bytes=MAX_BYTES), Experiment, what=what)
    except Unreadable as error:
        raise ExperimentError(str(error)) from None
