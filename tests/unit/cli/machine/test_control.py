from __future__ import annotations

from pathlib import Path

from rayapp.cli.machine.control import JOBS, MAX_WAIT_S, Backoff, Control
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.ray_jobs import RayJob
from rayapp.config import Config, Llm


def test_waits_grow_to_a_bound_and_start_again_after_a_healthy_minute() -> None:
    backoff, now, waits = Backoff(), 0.0, []
    for _ in range(8):
        backoff.begin(now)
        now += 1
        backoff.failed(now)
        waits.append(backoff.not_before - now)
        assert not backoff.ready(now)
        now = backoff.not_before
        assert backoff.ready(now)
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT_S, MAX_WAIT_S]
    assert backoff.restarts == 7
    backoff.begin(now)
    backoff.failed(now + 61)
    assert backoff.not_before == now + 62


class Head:
    """The job API of a Ray head, as the control loop uses it."""

    def __init__(self) -> None:
        self.known: dict[str, RayJob] = {}

    def all(self) -> dict[str, RayJob]:
        return self.known

    def submit(self, name: str, module: str, config: Path) -> str:
        number = f"{name}-{len(self.known)}"
        self.known[number] = RayJob(number, name, "RUNNING", "")
        return number

    def fail(self, name: str) -> None:
        for job in self.known.values():
            if job.name == name:
                self.known[job.id] = job._replace(status="FAILED")


def test_a_job_that_went_with_its_head_is_started_at_once_and_one_that_failed_waits(tmp_path: Path) -> None:
    config = Config(state=str(tmp_path / "state"), llm=Llm(enabled=False))
    layout = Layout.of(config)
    layout.make()
    control = Control(config, layout)
    head = Head()
    for _ in range(3):
        control.jobs(head)  # type: ignore[arg-type]
        assert sorted(job.name for job in head.known.values() if job.alive) == sorted(JOBS)
        head = Head()  # the one before was killed, with all that it knew
    control.jobs(head)  # type: ignore[arg-type]
    assert {name: backoff.wait for name, backoff in control.backoff.items()} == dict.fromkeys(JOBS, 1.0)
    head.fail("learner")
    control.jobs(head)  # type: ignore[arg-type]
    assert control.backoff["learner"].wait == 2.0
    assert sorted(job.name for job in head.known.values() if job.alive) == sorted(set(JOBS) - {"learner"})
