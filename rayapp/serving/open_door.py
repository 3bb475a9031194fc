"""An application without API keys is not built where Serve listens to the network."""

from __future__ import annotations

import ray
from ray.serve.config import ProxyLocation
from ray.serve.context import _get_global_client  # pyright: ignore[reportPrivateUsage]

from rayapp.config import Config, check_host


def refuse_open_door(config: Config) -> None:
    """Ask the running Serve where it listens: an application does not see the `http_options` of its Serve YAML.

    Raises ConfigError when that is beyond this machine and RAYAPP_API_KEYS is not set. Without a running Serve
    nothing listens yet (`serve build`).
    """
    serve = _get_global_client(raise_if_no_controller_running=False) if ray.is_initialized() else None
    if serve is None or serve.http_config.host is None or serve.http_config.location == ProxyLocation.Disabled:
        return
    check_host(serve.http_config.host, config.api_keys, "http_options.host")
