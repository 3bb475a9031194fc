"""An experiment as its YAML says it (contract, "Experiments")."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from rayapp.experiments.assignment import arm_of, in_namespace


class ExperimentError(ValueError):
    """An experiment that cannot be used; the text says why."""


class Arm(msgspec.Struct, frozen=True):
    """A share of the experiment's users and what is different for them."""

    name: str
    weight: float
    params: dict[str, Any] = {}


class Experiment(msgspec.Struct, frozen=True):
    """Who takes part and in which arm; keys that only the report needs are left to it.

    Without a namespace the experiment takes its whole layer.
    """

    name: str
    layer: str
    arms: tuple[Arm, ...]
    namespace: tuple[float, float] = (0.0, 1.0)
    coverage: float = 1.0

    def __post_init__(self) -> None:
        total = math.fsum(arm.weight for arm in self.arms)
        if abs(total - 1) > 1e-6:
            raise ExperimentError(f"experiment {self.name}: weights sum to {total:g}, must be 1")
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ExperimentError(f"experiment {self.name}: two arms have the same name")
        if not 0 <= self.coverage <= 1:
            raise ExperimentError(f"experiment {self.name}: coverage {self.coverage:g}, must be between 0 and 1")

    def arm(self, user_id: str) -> Arm | None:
        """The user's arm; None for those who do not take part."""
        if not in_namespace(self.layer, self.namespace, user_id):
            return None
        index = arm_of(self.name, user_id, [arm.weight for arm in self.arms], self.coverage)
        return None if index is None else self.arms[index]

    def arms_of(self, model: str, default: str) -> tuple[str, ...]:
        """Names of the arms that a model line serves; an arm that names none has the default model."""
        found = ((arm.name, str(arm.params.get("model", default))) for arm in self.arms)
        return tuple(name for name, served in found if served.split("@")[0] == model)


def load_experiment(file: str | Path) -> Experiment:
    """Raises ExperimentError."""
    try:
        return msgspec.yaml.decode(Path(file).read_bytes(), type=Experiment)
    except OSError as error:
        raise ExperimentError(f"experiment {file} cannot be read: {error.strerror}") from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ExperimentError(f"experiment {file}: {error}") from None
