"""What the jobs that never end say of themselves: one hash, a field a job."""

from __future__ import annotations

import msgspec

from rayapp.stores import ports
from rayapp.stores.job_state import JobState
from rayapp.stores.valkey.commands import AsyncClient, Client
from rayapp.stores.valkey.errors import surfaced
from rayapp.stores.valkey.stored import readable, text

STATES = "job_states"
_decoder = msgspec.json.Decoder(JobState)


def _read(raw: dict[bytes, bytes]) -> dict[str, JobState]:
    named = ((text(job, "job"), value) for job, value in raw.items())
    states = ((job, readable(_decoder, value, f"state of job {job}")) for job, value in named if job is not None)
    return {job: state for job, state in states if state is not None}


@surfaced
class JobStates(ports.JobStates):
    """See ports.JobStates."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def put(self, job: str, state: JobState) -> None:
        self.client.hset(STATES, job, msgspec.json.encode(state))

    def all(self) -> dict[str, JobState]:
        return _read(self.client.hgetall(STATES))


@surfaced
class JobStateReader(ports.JobStateReader):
    """See ports.JobStateReader."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def all(self) -> dict[str, JobState]:
        return _read(await self.client.hgetall(STATES))
