"""The parts of serving that an experiment arm may replace: the model, and the catalogue's moderation."""

from __future__ import annotations

from typing import NamedTuple

from rayapp.experiments.arm_params import ArmParams

CURRENT = "CURRENT"


class Variant(NamedTuple):
    """Empty: as the configuration has it. `model`: name, name@version or name@alias; `moderation`: off, or a policy
    that the configuration names."""

    model: str = ""
    moderation: str = ""

    @classmethod
    def of(cls, params: ArmParams) -> Variant:
        return cls(params.model or "", params.moderation or "")

    @classmethod
    def all_of(cls, params: ArmParams) -> tuple[Variant, ...]:
        """Everything that an arm's answers need: an interleaved one has two rankers."""
        return (cls.of(params),) if params.interleave is None else (cls.of(params), cls.of(params.second()))

    def pointer(self, default: str) -> tuple[str, str]:
        """(model name, version or alias); `default`: the name where the arm names none."""
        name, _, wanted = self.model.partition("@")
        return name or default, wanted or CURRENT


DEFAULT = Variant()
