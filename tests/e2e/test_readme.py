"""Every block of the README and every example, verbatim, on the running system.

The README names localhost:8000 (HTTP) and Ray's 8265; the system of these tests listens elsewhere, so both ports are
forwarded to it for this module, which skips where somebody else listens there. Blocks run in a folder that looks like a
checkout in which `make up` was run: copies of the packages, `.rayapp` that is this system's state, and this Python as
`.venv`. `make` alone is replaced, by a dry run in the repository: its targets start and stop whole systems, and to run
them here would end the one that all tests share.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rayapp.data.sample_world import write_sample_world
from tests.e2e.conftest import System
from tests.port_forwarder import forwarded
from tests.readme_blocks import Block, missing, runnable

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(sys.executable).parent
PACKAGES = ("jobs", "rayapp", "streaming", "serve_configs", "examples")
MAKE = f'#!/bin/sh\necho "make $*"\nexec {shutil.which("make")} --dry-run --directory {ROOT} "$@" > /dev/null\n'
TRIES = 3  # what a block says may come true a moment later on a busy machine


@pytest.fixture(scope="module")
def checkout(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the blocks run in."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".rayignore", folder)
    (folder / ".rayapp").symlink_to(system.state)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(BINARIES)
    (folder / "stubs").mkdir()
    make = folder / "stubs" / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    with ExitStack() as ports:
        for port, target in ((8000, system.config.ports.http), (8265, system.config.ports.dashboard)):
            try:
                ports.enter_context(forwarded(port, target))
            except OSError as error:
                pytest.skip(f"port {port} is not free: {error}")
        yield folder
    for item in ("p1", "lighthouse-1", "lighthouse-2", "lighthouse-3"):
        system.http.delete(f"/v1/items/{item}")


def run(command: list[str], folder: Path, text: str | None = None) -> str:
    """What it printed; fails with it where the exit code is not 0."""
    path = f"{folder / 'stubs'}:{BINARIES}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, input=text, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{text or command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_block(block: Block, folder: Path) -> str:
    command = [sys.executable, "-"] if block.language == "python" else ["bash", "-euo", "pipefail", "-s"]
    return run(command, folder, block.text)


@pytest.mark.parametrize("block", runnable(ROOT / "README.md"), ids=lambda block: block.name)
def test_a_block_of_the_readme(block: Block, checkout: Path) -> None:
    output = run_block(block, checkout)
    if "make up" in block.text:
        return  # the addresses that it ends with are checked where a system is started
    for _ in range(TRIES - 1):
        if not missing(block.output, output):
            break
        output = run_block(block, checkout)
    assert missing(block.output, output) == [], output
    assert '"error":' not in output


def test_targets_that_the_readme_names_exist(checkout: Path) -> None:
    for target in ("up", "down", "test"):
        run([str(checkout / "stubs" / "make"), target], checkout)


def test_post_events(checkout: Path) -> None:
    output = run([sys.executable, "examples/post_events.py", "--k", "3"], checkout)
    assert "events: 5 accepted, 0 rejected" in output
    assert "redrec" in output.partition("after")[2]


def test_a_custom_source(checkout: Path) -> None:
    output = run([sys.executable, "examples/custom_source.py", "--user", "example", "--k", "3"], checkout)
    titles = [line for line in output.splitlines() if line and not line.startswith(("INFO", "20"))]
    assert len(titles) == 3, output


def test_an_experiment_from_yaml_to_report(checkout: Path) -> None:
    traffic = ("--users", "20", "--rate", "4", "--duration", "6")
    output = run([sys.executable, "examples/experiment/run.py", *traffic], checkout)
    assert "example-interests: created" in output
    assert "example-interests: stopped" in output


def test_offline_evaluation(checkout: Path, tmp_path: Path) -> None:
    world = write_sample_world(tmp_path / "world", notes=300, ads=30, users=80)
    options = ("--folder", str(tmp_path), "--data", str(world), "--minutes", "0.1")
    output = run([sys.executable, "examples/offline_evaluation.py", *options], checkout)
    assert "item-kNN" in output
    assert "example@1" in output
