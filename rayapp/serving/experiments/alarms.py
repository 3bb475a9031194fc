"""Asks for reports of running experiments now and then, so that a broken split is seen when nobody looks."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ray.exceptions import RayError

from rayapp.serving.live.engine import Engine

log = logging.getLogger("ray.serve")


def watch(engine: Engine, reports: Any) -> None:
    """`reports`: the deployment's handle; it has no replica while no experiment runs and nobody asks."""

    def follow() -> None:
        experiments = engine.experiments
        while not experiments.closed.wait(engine.config.experiments.look_s):
            if experiments.known:
                try:
                    reports.watch.remote().result(timeout_s=600)
                except (RayError, TimeoutError) as error:
                    log.warning("experiments could not be looked at: %s", error)

    threading.Thread(target=follow, name="watch", daemon=True).start()
