"""The processes that a system on one machine consists of, by what they do."""

from __future__ import annotations

import contextlib

import psutil

from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.supervision import Supervisor
from tests.e2e.conftest import System

WORDS = {
    "GCS": "gcs/gcs_server ",
    "raylet": "raylet/raylet ",
    "Serve controller": "ray::ServeController",
    "Serve proxy": "ray::ProxyActor",
    "gateway replica": "ray::ServeReplica:rayapp:gateway",
    "history writer": "-m jobs.write_history",
    "catalogue writer": "-m jobs.write_catalogue",
    "learner": "-m jobs.learn_online",
    "moderator": "-m jobs.moderate_items",
}
SUPERVISED = {
    "broker": "broker",
    "store": "store",
    "ray start": "ray",
    "control loop": "control",
    "Prometheus": "prometheus",
}
JOBS = ("history writer", "catalogue writer", "learner", "moderator")  # one process each, which Ray starts
BY_HAND = "supervisord"
KINDS = (*SUPERVISED, *WORDS, BY_HAND)


def pids_of(system: System, kind: str) -> set[int]:
    """The processes of this kind now; none while they are away or where the system has none."""
    supervisor = Supervisor(Layout(system.state))
    if kind == BY_HAND:
        return {int(supervisor.rpc.getPID())} if supervisor.running() else set()
    if kind in SUPERVISED:
        pid = supervisor.pids().get(SUPERVISED[kind], 0)
        return {pid} if pid else set()
    found = set()
    for process in Layout(system.state).processes():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline()) + " "
            if WORDS[kind] in line and process.name() != "sh":  # Ray runs a job's command in a shell
                found.add(process.pid)
    return found
