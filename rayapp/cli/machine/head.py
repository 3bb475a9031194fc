"""Starts the Ray head once nothing of an earlier one is left.

    python -m rayapp.cli.machine.head ray start --head --block …

A head of which one process is killed leaves others behind for a while (of `ray start` itself: all of them), which hold
the ports and so keep the next head from starting.
"""

from __future__ import annotations

import contextlib
import os
import sys

import psutil

from rayapp import env
from rayapp.cli.machine.paths import Layout

GONE_S = 10.0


def end_remains(layout: Layout) -> int:
    """Kill every process of an earlier head and wait until they are gone; how many there were."""
    remains = layout.ray_processes()
    for process in remains:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(remains, timeout=GONE_S)
    return len(remains)


def main() -> None:
    command = sys.argv[1:]
    state = env.read().system
    if state is None or not command:
        sys.exit(f"usage: {env.SYSTEM}=STATE python -m rayapp.cli.machine.head COMMAND …")
    ended = end_remains(Layout(state))
    if ended:
        print(f"ended {ended} processes of the Ray head before", flush=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
