"""Ending a system ends what its parents forgot, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor

STUBBORN = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
# Starts the stubborn process and ends at once, so that it is an orphan which no process tree shows.
PARENT = f"import subprocess,sys; p = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); print(p.pid, flush=True)"


def orphan(layout: Layout) -> psutil.Process:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env={**os.environ, **layout.environment()}
    )
    assert parent.stdout is not None
    lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
    parent.wait()
    assert "up" in lines
    return psutil.Process(int((lines - {"up"}).pop()))


def test_down_ends_orphans_of_its_own_system_only(tmp_path: Path) -> None:
    mine, other = Layout(tmp_path / "mine"), Layout(tmp_path / "other")
    ours, theirs = orphan(mine), orphan(other)
    try:
        assert mine.processes() == [ours]
        supervisor = Supervisor(mine)
        assert not supervisor.running()
        assert supervisor.stop_all()
        assert mine.processes() == []
        assert other.processes() == [theirs]
        assert not supervisor.stop_all()  # nothing left to stop
    finally:
        theirs.kill()
