"""The Serve configuration of a running system: serve_configs/<profile>.yaml with this system's addresses."""

from __future__ import annotations

from typing import Any

from rayapp.cli.machine.paths import Layout
from rayapp.config import Config
from rayapp.packaged import SERVE_CONFIGS
from rayapp.parsing import yaml_value

LLM = "redone"


def serve_config(config: Config, layout: Layout) -> dict[str, Any]:
    """The body of a PUT to Serve's REST API."""
    file = SERVE_CONFIGS / f"{config.serving.profile}.yaml"
    wanted: dict[str, Any] = yaml_value(file.read_bytes(), what=file.name)
    wanted["http_options"] |= {"host": config.host, "port": config.ports.http}
    gateway = next(d for a in wanted["applications"] for d in a.get("deployments", ()) if d["name"] == "gateway")
    # Serve queues what exceeds its own limit, where the gateway would answer 503 with Retry-After.
    gateway["max_ongoing_requests"] = max(gateway["max_ongoing_requests"], 4 * config.serving.max_ongoing)
    if "num_replicas" in gateway:  # the cluster profile scales by load instead
        gateway["num_replicas"] = config.serving.replicas
    for application in wanted["applications"]:
        application["args"] = {**application.get("args", {}), "config": str(layout.config)}
    if not config.llm.enabled or config.llm.url:
        wanted["applications"] = [a for a in wanted["applications"] if a["name"] != LLM]
    return wanted
