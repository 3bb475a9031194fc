"""The model versions that running experiments name: what an arm is served by must not be removed under it."""

from __future__ import annotations

from collections.abc import Iterable

from rayapp.experiments.experiment import Experiment


def named_versions(running: Iterable[Experiment], model: str) -> set[str]:
    """Versions and aliases of `model` that arms name, second rankers of interleaved arms included."""
    found: set[str] = set()
    for experiment in running:
        for arm in experiment.arms:
            other = arm.params.interleave
            for reference in (arm.params.model, other.model if other is not None else None):
                name, _, wanted = (reference or "").partition("@")
                if name == model and wanted:
                    found.add(wanted)
    return found
