"""Labels in any script in a process of Ray's, which takes ASCII alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import ray

from rayapp.cluster import connect_ray
from rayapp.metrics import Metrics

ODD = ["контроль", "实验", "ja\u0308", "🙂", 'a"b\\c\n', "\ud800", "x" * 1000, ""]


@pytest.fixture
def _ray() -> Iterator[None]:
    connect_ray(quiet=True)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("_ray")
def test_labels_of_every_script_are_recorded(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.ERROR):
        for text in ODD:
            metrics.count("rayapp_exposures_total", experiment=text, arm=text)
            metrics.set("rayapp_prequential", 0.5, metric="hr@10", scenario=text)
            metrics.observe("rayapp_stage_seconds", 0.1, stage=text)
    assert [record.getMessage() for record in caplog.records if "cannot be recorded" in record.getMessage()] == []
