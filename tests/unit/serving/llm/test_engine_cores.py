"""On real threads of a real child process."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from rayapp.serving.llm.engine_cores import CoresError, chosen, environment, place

# A process that starts a child with threads, then settles as the engine's replica does, and says where all of them are.
SETTLES = """
import os, subprocess, sys, psutil
from rayapp.serving.llm.engine_cores import settle
with subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    settle()
    threads = psutil.Process().threads() + psutil.Process(child.pid).threads()
    print({(tuple(os.sched_getaffinity(t.id)), os.getpriority(os.PRIO_PROCESS, t.id)) for t in threads}, len(threads))
    child.stdin.close()
"""
CHILD = """
import sys, threading
stop = threading.Event()
for _ in range(3):
    threading.Thread(target=stop.wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def test_every_thread_of_a_process_and_its_children_moves_and_yields() -> None:
    core = max(os.sched_getaffinity(0))
    settings = {**os.environ, **environment([-1], 7)}
    command = [sys.executable, "-c", SETTLES, CHILD]
    said = subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout
    places, _, count = said.strip().rpartition(" ")
    assert places == str({((core,), 7)})
    assert int(count) >= 5


def test_without_cores_only_the_niceness_changes() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        place([psutil.Process(child.pid)], [], 3)
        assert os.sched_getaffinity(child.pid) == os.sched_getaffinity(0)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 3
        child.stdin.close()


def test_which_cores() -> None:
    assert chosen("", [0, 1]) == []
    assert chosen("0,1", [0, 1]) == [0, 1]
    assert chosen("-1", [2, 5]) == [5]
    for wrong in ("7", "-3"):
        with pytest.raises(CoresError, match="this process may use 2, 5"):
            chosen(wrong, [2, 5])
    assert environment(None, None) == environment([], 0) == {}
