"""The cluster that a job starts for itself, and its trainings and Serve applications: for this machine alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import without_ray

OTHER = "from rayapp.cluster import connect_ray; connect_ray(); print('up', flush=True); input()"

TRAINING = """
import json, os, sys, torch, psutil, ray, ray.train, ray.train.torch, ray.util.state
from rayapp.cluster import connect_ray
from rayapp.process_group import GroupConfig

def listening():
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARKED_BY_TEST") == os.environ["MARKED_BY_TEST"]:
                found += [(process.name(), c.laddr.ip) for c in process.net_connections("inet") if c.status == "LISTEN"]
        except psutil.Error:
            pass
    return found

def loop(config):
    import torch.distributed as dist
    one = torch.ones(1)
    dist.all_reduce(one)
    nodes = len(ray.util.state.list_nodes())  # looks for its cluster again, as Ray's own actors do
    mode = os.stat(os.path.dirname(ray._private.worker._global_node.get_temp_dir_path())).st_mode & 0o777
    if dist.get_rank() == 0:
        with open(config["out"], "w") as out:
            json.dump({"sum": float(one), "world": dist.get_world_size(), "listening": listening(),
                       "nodes": nodes, "auth": os.environ["RAY_AUTH_MODE"], "mode": mode}, out)
    dist.barrier()

connect_ray()
ray.train.torch.TorchTrainer(
    loop, train_loop_config={"out": sys.argv[1]}, torch_config=GroupConfig(),
    scaling_config=ray.train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
    run_config=ray.train.RunConfig(name="listening", storage_path=sys.argv[2]),
).fit()
"""

SERVING = """
import json, os, sys
from ray import serve
from rayapp.cluster import connect_ray
from rayapp.config import Config, ConfigError
from rayapp.serving.open_door import refuse_open_door

def said(keys):
    os.environ["RAYAPP_API_KEYS"] = keys
    try:
        refuse_open_door(Config())
        return ""
    except ConfigError as error:
        return str(error)

refuse_open_door(Config())  # no Ray, so nothing that listens
connect_ray(quiet=True)
found = {"without Serve": said("")}
for host in ("127.0.0.1", "0.0.0.0"):
    serve.start(http_options={"host": host, "port": int(sys.argv[2])})
    found[host] = said("")
    found[f"{host} with keys"] = said("a")
    serve.shutdown()
json.dump(found, open(sys.argv[1], "w"))
"""


STARTING = """
import json, os, sys
os.environ["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"] = "rayapp.serving.middleware.proxy:middlewares"
import httpx
from ray import serve
from rayapp.cluster import connect_ray

connect_ray(quiet=True)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
with httpx.Client(base_url=f"http://127.0.0.1:{sys.argv[2]}", trust_env=False, timeout=60) as client:
    found = {path: client.get(path) for path in ("/v1/feed", "/-/healthz")}
serve.shutdown()
json.dump({path: [a.status_code, a.text, a.headers.get("retry-after")] for path, a in found.items()}, open(sys.argv[1], "w"))
"""


def variables(mark: str) -> dict[str, str]:
    """A shell's environment, with a proxy that does not answer."""
    return {**without_ray(), "MARKED_BY_TEST": mark, "http_proxy": "http://127.0.0.1:9"}


def run(script: str, out: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The script's result and its output."""
    command = [sys.executable, "-c", script, str(out), *arguments]
    done = subprocess.run(command, env=variables(str(out)), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(out.read_text()), done.stdout + done.stderr


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], str]]:
    """A training beside another cluster, such as a running system's."""
    folder = tmp_path_factory.mktemp("training")
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables("other")
    ) as other:
        assert other.stdout is not None
        assert any(line.strip() == "up" for line in other.stdout)
        try:
            yield run(TRAINING, folder / "out.json", str(folder / "runs"))
        finally:
            other.communicate("\n")


def test_two_workers_train_and_nobody_else_can_reach_them(training: tuple[dict[str, Any], str]) -> None:
    from rayapp.loopback import is_loopback

    found, _ = training
    assert (found["sum"], found["world"]) == (2.0, 2)
    assert found["auth"] == "token"
    assert found["nodes"] == 1
    assert found["mode"] == 0o700, "Ray opens the folder that it is given to everybody"
    assert len(found["listening"]) > 10
    assert [(name, address) for name, address in found["listening"] if not is_loopback(address)] == []


def test_it_is_said_that_the_cluster_is_its_own_and_no_other_is_mistaken_for_it(
    training: tuple[dict[str, Any], str],
) -> None:
    _, output = training
    assert "starting a Ray cluster for this command alone" in output
    assert "multiple active Ray instances" not in output
    assert "ConnectionError" not in output


def test_an_application_without_keys_is_not_built_where_serve_is_open(tmp_path: Path) -> None:
    from tests.conftest import free_ports

    found, _ = run(SERVING, tmp_path / "out.json", str(free_ports(1)[0]))
    refused = found.pop("0.0.0.0")
    assert "http_options.host '0.0.0.0'" in refused
    assert "RAYAPP_API_KEYS" in refused
    assert set(found.values()) == {""}


def test_before_an_application_is_deployed_its_paths_are_not_unknown(tmp_path: Path) -> None:
    from tests.conftest import free_ports

    found, _ = run(STARTING, tmp_path / "out.json", str(free_ports(1)[0]))
    status, text, retry_after = found["/v1/feed"]
    assert (status, int(retry_after) > 0) == (503, True)
    assert json.loads(text)["error"]["code"] == "unavailable"
    assert "unavailable" not in found["/-/healthz"][1], "the proxy's own health keeps its words"
