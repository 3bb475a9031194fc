"""Every series of the contract, defined once, exported through Ray's metrics agent.

Ray puts `ray_` in front of the names; the gateway's /metrics collects them
from every node and takes it off again. Outside a Ray process nothing is
exported, so the same code runs in a plain test.

A metric never fails what it measures: Ray takes label values in ASCII alone,
so any other text is percent-encoded, and what Ray still refuses is logged once.
"""

from __future__ import annotations

import logging
import string
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

MAX_LABEL = 128
PRINTABLE = string.punctuation.replace("%", "") + " "
log = logging.getLogger(__name__)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
FRESHNESS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 45, 60, 120, 300)


class Series(NamedTuple):
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    tags: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


SERIES = {
    "rayapp_requests_total": Series("counter", "HTTP requests, by route and status.", ("route", "status")),
    "rayapp_request_seconds": Series("histogram", "Time to answer an HTTP request.", ("route", "status"), SECONDS),
    "rayapp_stage_seconds": Series("histogram", "Time spent in one stage of a request.", ("stage",), SECONDS),
    "rayapp_events_total": Series("counter", "Events received, by result.", ("result",)),
    "rayapp_events_skipped_total": Series("counter", "Events that the learner skipped, by reason.", ("reason",)),
    "rayapp_freshness_seconds": Series(
        "histogram", "Age of an event when a stage of processing is complete.", ("stage",), FRESHNESS
    ),
    "rayapp_consumer_lag": Series(
        "gauge", "Records between a consumer and the end of the log.", ("topic", "partition", "group")
    ),
    "rayapp_model_version_info": Series(
        "gauge", "1 for the model version that is served.", ("model", "version", "space")
    ),
    "rayapp_model_age_seconds": Series("gauge", "Age of the model version that is served, in seconds.", ("model",)),
    "rayapp_prequential": Series(
        "gauge", "Prequential metric: measured on a window before training on it.", ("metric", "scenario")
    ),
    "rayapp_publish_total": Series("counter", "Candidate versions, by outcome of the gate.", ("outcome",)),
    "rayapp_verdicts_total": Series(
        "counter", "Moderation verdicts, by decision and outcome.", ("decision", "outcome")
    ),
    "rayapp_exposures_total": Series(
        "counter", "Exposure records written, by experiment and arm.", ("experiment", "arm")
    ),
    "rayapp_experiment_users": Series("gauge", "Users exposed to an experiment, by arm.", ("experiment", "arm")),
    "rayapp_experiment_lift": Series(
        "gauge",
        "Lift over the control, and the bounds of its always-valid 95% interval.",
        ("experiment", "arm", "metric", "bound"),
    ),
    "rayapp_guardrail_holds": Series("gauge", "1 if the guardrail holds.", ("experiment", "arm", "metric")),
    "rayapp_sample_ratio_pvalue": Series(
        "gauge", "Sample-ratio-mismatch p-value: users by arm against the weights.", ("experiment",)
    ),
    "rayapp_job_problem": Series(
        "gauge", "1 while a job that never ends waits for something or cannot get past it.", ("job",)
    ),
    "rayapp_dead_letters_total": Series("counter", "Records sent to the dead-letter topic, by reason.", ("reason",)),
}


class Metrics:
    """Counts, sets and observes by the names above; an unknown name or tag is an error."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._failed: set[str] = set()

    def _series(self, name: str) -> Any:
        made = self._made.get(name)
        if made is None:
            import ray
            from ray.util import metrics

            series = SERIES[name]
            if not ray.is_initialized():
                return None
            if series.kind == "histogram":
                made = metrics.Histogram(name, series.help, boundaries=list(series.buckets), tag_keys=series.tags)
            else:
                kind = metrics.Counter if series.kind == "counter" else metrics.Gauge
                made = kind(name, series.help, tag_keys=series.tags)
            self._made[name] = made
        return made

    def count(self, name: str, value: float = 1, **tags: str) -> None:
        self._record(name, "inc", value, tags)

    def set(self, name: str, value: float, **tags: str) -> None:
        self._record(name, "set", value, tags)

    def observe(self, name: str, value: float, **tags: str) -> None:
        # Ray refuses values of zero and below; clock steps can make one.
        self._record(name, "observe", max(value, 1e-6), tags)

    def _record(self, name: str, method: str, value: float, tags: dict[str, str]) -> None:
        made = self._series(name)
        if made is None:
            return
        if not all(text.isascii() and len(text) <= MAX_LABEL for text in tags.values()):
            tags = {key: label(text) for key, text in tags.items()}
        try:
            getattr(made, method)(value, tags=tags)
        except Exception as error:
            if name not in self._failed:
                self._failed.add(name)
                log.error("metric %s cannot be recorded: %s", name, error)


def label(text: str) -> str:
    """A label's value as Ray takes it: ASCII, other text percent-encoded, at most MAX_LABEL characters."""
    return quote(text, safe=PRINTABLE, errors="replace")[:MAX_LABEL]
