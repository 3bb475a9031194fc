from __future__ import annotations

from rayapp.metrics import Metrics
from rayapp.serving.http.job_problems import JobProblems
from rayapp.stores.job_state import SILENT_S, JobState, problems_of
from rayapp.stores.ports import StoreUnreachable

NOW = 1_790_000_000_000


def test_a_job_that_waits_and_one_that_is_silent_are_named() -> None:
    states = {
        "history": JobState(NOW - 1000),
        "catalogue": JobState(NOW - 1000, "the store takes nothing now", NOW - 30_000),
        "learner:redrec": JobState(NOW - int(1000 * SILENT_S) - 60_000),
    }
    found = problems_of(states, NOW)
    assert found.keys() == {"catalogue", "learner:redrec"}
    assert found["catalogue"] == "for 30 s: the store takes nothing now"
    assert "no sign of life for 180 s" in found["learner:redrec"]
    openly = problems_of(states, NOW, openly=True)
    assert openly.keys() == found.keys()
    assert "store" not in openly["catalogue"], "/readyz is open to everybody"


async def test_nothing_is_said_of_jobs_while_the_store_is_away() -> None:
    class Away:
        async def all(self) -> dict[str, JobState]:
            raise StoreUnreachable("away")

    assert await JobProblems(Away(), Metrics()).look() == {}
