"""torch's process group of a training or a learner, kept to this machine where its cluster is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import (
    _set_torch_distributed_env_vars,  # pyright: ignore[reportPrivateUsage]
    _setup_torch_process_group,  # pyright: ignore[reportPrivateUsage]
    _TorchBackend,  # pyright: ignore[reportPrivateUsage]
)

from rayapp.loopback import is_loopback


class GroupConfig(TorchConfig):
    """Ray Train's TorchConfig, whose workers on one machine meet over a file.

    torch's usual meeting point (TCPStore) listens on every interface, takes no address and asks nobody for a token.
    """

    @property
    def backend_cls(self) -> type[GroupBackend]:
        return GroupBackend


class GroupBackend(_TorchBackend):
    """On a cluster of several machines: Ray Train's own way."""

    folder: Path | None = None

    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:
        if not is_loopback(worker_group.execute_single(0, ray.util.get_node_ip_address)):
            super().on_start(worker_group, backend_config)
            return
        gpus = worker_group.get_resources_per_worker().get("GPU", 0)
        session = ray._private.worker._global_node.get_session_dir_path()  # pyright: ignore
        self.folder = Path(tempfile.mkdtemp(prefix="group-", dir=session))  # gone with the cluster's other files
        worker_group.execute(_set_torch_distributed_env_vars)
        waiting = [
            worker_group.execute_single_async(
                rank,
                _setup_torch_process_group,
                backend=backend_config.backend or ("nccl" if gpus else "gloo"),
                world_rank=rank,
                world_size=len(worker_group),
                init_method=f"file://{self.folder}/meet",
                timeout_s=backend_config.timeout_s,
            )
            for rank in range(len(worker_group))
        ]
        ray.get(waiting)

    def on_shutdown(self, worker_group: Any, backend_config: TorchConfig) -> None:
        super().on_shutdown(worker_group, backend_config)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
