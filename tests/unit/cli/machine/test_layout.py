"""What a start makes is its owner's alone, also where an earlier version left it open."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rayapp.cli.machine.paths import Layout, NotOurs
from rayapp.config import Config
from rayapp.loopback import UNPROXIED


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_closed_and_those_of_an_earlier_version_are_closed_now(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    layout.state.mkdir()
    layout.state.chmod(0o755)
    layout.token.write_text("an old token")
    layout.token.chmod(0o644)
    layout.make()
    try:
        assert (mode(layout.state), mode(layout.temporary)) == (0o700, 0o700)
        assert layout.ray_token() == "an old token"
        assert mode(layout.token) == 0o600
        layout.write(layout.system, {"data": "d"})
        assert mode(layout.system) == 0o600
        assert layout.read(layout.system) == {"data": "d"}
    finally:
        layout.temporary.rmdir()


def test_a_link_that_somebody_laid_in_the_temporary_folder_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    (tmp_path / "elsewhere").mkdir()
    layout.temporary.symlink_to(tmp_path / "elsewhere")
    try:
        with pytest.raises(NotOurs, match=str(layout.temporary)):
            layout.make()
    finally:
        layout.temporary.unlink()


@pytest.mark.parametrize("temporary", ["/tmp", "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T"])
def test_sockets_have_paths_that_the_system_takes(monkeypatch: pytest.MonkeyPatch, temporary: str) -> None:
    monkeypatch.setattr("tempfile.tempdir", temporary)
    layout = Layout("/home/somebody/with a long/path/to the/state/folder/of/this/system/.rayapp")
    session = "session_2026-11-28_00-38-57_809868_4194304"  # the longest process id
    assert len(str(layout.ray_temp / session / "sockets" / "plasma_store.4194304")) < 107
    assert len(str(layout.socket)) < 100  # supervisord adds its process id while it makes the socket


def test_the_environment_keeps_ray_to_this_machine_and_loopback_from_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("no_proxy", "corp.example")
    made = Layout.of(Config(state=str(tmp_path))).environment()
    assert made["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert set(made["no_proxy"].split(",")) == {"corp.example", *UNPROXIED} == set(made["NO_PROXY"].split(","))
    assert made["RAY_AUTH_MODE"] == "token"
    assert os.environ["no_proxy"] == "corp.example"


@pytest.mark.parametrize("ours", [True, False])
def test_an_orphan_of_ray_without_its_environment_is_found_by_its_log(tmp_path: Path, ours: bool) -> None:
    layout = Layout(tmp_path / "state")
    agent = tmp_path / "ray::Agent"
    agent.symlink_to("/bin/sleep")
    log = (layout.ray_temp if ours else tmp_path) / "agent.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen([str(agent), "60"], env={}, stdout=output)
    try:
        assert (process.pid in [p.pid for p in layout.processes()]) is ours
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(layout.temporary, ignore_errors=True)


CONSTANTS = """
from ray.serve._private import constants
print(constants.PROXY_HEALTH_CHECK_PERIOD_S * constants.PROXY_HEALTH_CHECK_UNHEALTHY_THRESHOLD)
"""


def test_serve_finds_a_dead_proxy_within_seconds(tmp_path: Path) -> None:
    """Asked of Ray itself, which ignores a name that it does not know."""
    environment = {**os.environ, **Layout(tmp_path).environment()}
    command = [sys.executable, "-c", CONSTANTS]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert float(found.stdout) <= 5
