"""Where in the code each part of the reference comes from: the only module here that names the code's modules."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import msgspec

ROOT = Path(__file__).resolve().parents[2]


def config_type() -> type[msgspec.Struct]:
    from rayapp.config import Config

    return Config


def command_line() -> click.Group:
    from rayapp.cli.main import cli

    return cli


def job_commands() -> dict[str, click.Command]:
    """Every entry point below jobs/, by its name."""
    names = sorted(file.stem for file in (ROOT / "jobs").glob("*.py") if not file.stem.startswith("_"))
    return {name: importlib.import_module(f"jobs.{name}").main for name in names}


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the HTTP application with default limits; routes open no service to be described."""
    from rayapp.config import Config
    from rayapp.serving.http.app import build_app
    from rayapp.serving.http.services import Limits
    from rayapp.serving.pipeline.sources import SOURCES, SourceParts, rankers

    config = Config()
    parts: Any = SourceParts(None, None, config.scenarios)  # type: ignore[arg-type]
    names = rankers({name: make(parts) for name, make in SOURCES.items()})
    services: Any = SimpleNamespace(
        limits=Limits(config.scenarios, config.serving.max_k, config.serving.max_ongoing),
        metrics=None,
        state=None,
        experiments=SimpleNamespace(rankers=names),
    )
    return build_app(services).openapi()


def topics() -> list[Any]:
    """NewTopic of every topic, under the default prefix."""
    from rayapp.config import Config
    from streaming.topics import topic_specs

    return topic_specs(Config().broker)


def series() -> dict[str, Any]:
    from rayapp.metrics import SERIES

    return SERIES


def records() -> dict[str, type[msgspec.Struct]]:
    """What travels: the record types of the domain, by name."""
    from rayapp import domain
    from rayapp.exposure import Exposure

    return {
        "Event": domain.Event,
        "Forget": domain.Forget,
        "Item": domain.Item,
        "Verdict": domain.Verdict,
        "Exposure": Exposure,
    }


def actions() -> tuple[str, ...]:
    from rayapp.domain import ACTIONS

    return ACTIONS


def experiment_type() -> type[msgspec.Struct]:
    from rayapp.experiments.experiment import Experiment

    return Experiment


def experiment_counts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what a metric may count, latencies that a guardrail may name)."""
    from rayapp.experiments.metric import COUNTS, LATENCIES

    return COUNTS, tuple(LATENCIES)


def policy_type() -> type[msgspec.Struct]:
    from rayapp.moderation.policy import Policy

    return Policy


def training_type() -> type[msgspec.Struct]:
    from rayapp.redrec.training.trainer import TrainConfig

    return TrainConfig


def recipe_type() -> type[msgspec.Struct]:
    from rayapp.redone.recipe import Recipe

    return Recipe


def packaged(pattern: str) -> list[str]:
    """Files that come with the project, relative to its root."""
    return sorted(str(file.relative_to(ROOT)) for file in ROOT.glob(pattern))
