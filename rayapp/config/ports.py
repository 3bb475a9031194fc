"""Settings of a system on one machine, which the command line starts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rayapp.section import Port, Section


class Ports(Section, frozen=True):
    """Where the embedded parts listen on this machine. `prometheus` 0: it is not started, installed or not."""

    http: Port = 8000
    kafka: Port = 9092
    store: Port = 6380
    ray: Port = 6399
    dashboard: Port = 8265
    ray_client: Port = 10001
    dashboard_agent: Port = 52365
    metrics: Port = 8090
    prometheus: Annotated[int, Meta(ge=0, le=65_535)] = 9090
    worker_low: Port = 20000
    worker_high: Port = 20999
