"""Where an engine's processes run and how much they yield: on a small machine feeds must not wait for a batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

import psutil

from rayapp import env
from rayapp.errors import UserError


def environment(cores: list[int] | None, nice: int | None) -> dict[str, str]:
    """For the engine's replica, see `settle`."""
    chosen = {env.LLM_CORES: ",".join(str(core) for core in cores or ()), env.LLM_NICE: str(nice) if nice else ""}
    return {name: value for name, value in chosen.items() if value}


def settle(settings: Mapping[str, str] = os.environ) -> None:
    """This process and its children onto the chosen cores and to the chosen niceness."""
    variables = env.read(settings)
    cores, nice = chosen(variables.llm_cores, sorted(os.sched_getaffinity(0))), variables.llm_nice
    if cores or nice:
        own = psutil.Process()
        place([own, *own.children(recursive=True)], cores, nice)


class CoresError(UserError):
    """A core was named that this process may not use."""


def chosen(cores: str, there: list[int]) -> list[int]:
    """`0,1` as it is, `-1` the last of those that are there. Raises CoresError."""
    numbers = []
    for core in (int(part) for part in cores.split(",") if part):
        number = there[core] if -len(there) <= core < 0 else core
        if number not in there:
            raise CoresError(f"cores: {core} is not there; this process may use {', '.join(map(str, there))}")
        numbers.append(number)
    return numbers


def place(processes: Iterable[psutil.Process], cores: list[int], nice: int) -> None:
    """Every thread of them: on Linux both are a thread's own, and a new one has its maker's. No cores: as they are."""
    for process in processes:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            for thread in process.threads():
                if cores:
                    os.sched_setaffinity(thread.id, cores)
                os.setpriority(os.PRIO_PROCESS, thread.id, nice)
