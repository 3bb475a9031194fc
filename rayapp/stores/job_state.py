"""How a job that never ends is doing, as it says itself, and what to make of its silence."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

SILENT_S = 120.0  # jobs report every two seconds; a long window keeps the learner busy


class JobState(msgspec.Struct, frozen=True):
    """`problem` says what the job waits for or cannot get past, empty while all is well.

    Times in milliseconds since the epoch: `since_ms` when the problem began, `at_ms` when the job last said so.
    """

    at_ms: int
    problem: str = ""
    since_ms: int = 0


def problems_of(states: Mapping[str, JobState], now_ms: int, *, openly: bool = False) -> dict[str, str]:
    """A line for each job that waits for something, cannot get past it, or has not reported for SILENT_S.

    `openly`: for everybody to read, without what only an operator should (addresses of other parts)."""
    found: dict[str, str] = {}
    for job, state in states.items():
        silent = (now_ms - state.at_ms) / 1000
        waited = (now_ms - state.since_ms) / 1000
        if silent > SILENT_S:
            found[job] = f"no sign of life for {silent:.0f} s; see its log"
        elif state.problem and openly:
            found[job] = f"it has waited for {waited:.0f} s; rayapp status says for what"
        elif state.problem:
            found[job] = f"for {waited:.0f} s: {state.problem}"
    return found
