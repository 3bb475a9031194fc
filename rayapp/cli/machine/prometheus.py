"""Prometheus beside the system, if it is installed: its configuration, with this system's series and rules."""

from __future__ import annotations

import shutil

import msgspec

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.preflight import port_free
from rayapp.config import Config
from rayapp.packaged import DEPLOY
from rayapp.parsing import yaml_value
from rayapp.secrets import write_private

FOLDER = DEPLOY / "prometheus"
RETENTION = "15d"


def prometheus_command(config: Config, layout: Layout) -> list[str] | None:
    """None if Prometheus is not installed or `ports: {prometheus: 0}` disables it."""
    binary = shutil.which("prometheus")
    if binary is None or not config.ports.prometheus:
        return None
    return [
        binary,
        f"--config.file={layout.prometheus}",
        f"--storage.tsdb.path={layout.state / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address=127.0.0.1:{config.ports.prometheus}",
    ]


def port_conflict(config: Config, states: dict[str, str]) -> str:
    """Why our Prometheus cannot start, or '': Debian's package starts one on the same port, which is no reason to
    stop."""
    port = config.ports.prometheus
    if "prometheus" not in states or states["prometheus"] in ("RUNNING", "STARTING") or port_free(port):
        return ""
    return (
        f"port {port} is in use: Prometheus is not started (choose another with ports: {{prometheus: N}} in --config)"
    )


def write_prometheus_config(config: Config, layout: Layout) -> None:
    """deploy/prometheus/prometheus.yml with this system's address, key and Ray's own exporter."""
    wanted = yaml_value((FOLDER / "prometheus.yml").read_bytes(), what="prometheus.yml")
    wanted["rule_files"] = [str(FOLDER / "rules.yml")]
    (scrape,) = wanted["scrape_configs"]
    scrape["static_configs"] = [{"targets": [config.http_address]}]
    if config.api_keys:
        scrape["authorization"] = {"credentials": config.api_keys[0]}
    # Ray's dashboards query Ray's series; ours come from /metrics, without Ray's prefix.
    ray = {
        "job_name": "ray",
        "static_configs": [{"targets": [f"127.0.0.1:{config.ports.metrics}"]}],
        "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": "ray_rayapp_.*", "action": "drop"}],
    }
    wanted["scrape_configs"] = [scrape, ray]
    write_private(layout.prometheus, msgspec.yaml.encode(wanted))  # it may hold a key
