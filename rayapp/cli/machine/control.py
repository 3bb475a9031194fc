"""The control loop: keeps the Serve application deployed and the Ray jobs running, whatever died.

Runs under supervisord. Ray jobs do not restart themselves; this resubmits them
with growing waits, and deploys again after the Ray head was restarted.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import httpx
import msgspec

from rayapp import env
from rayapp.cli.machine.paths import Layout
from rayapp.cli.machine.ray_jobs import RayJobs
from rayapp.cli.machine.serving_config import serve_config
from rayapp.config import Config, load_config
from rayapp.errors import UserError
from rayapp.http_client import own_client
from rayapp.loopback import ADDRESS

JOBS = {
    "history": "jobs.write_history",
    "catalogue": "jobs.write_catalogue",
    "moderator": "jobs.moderate_items",
    "learner": "jobs.learn_online",
}
HEALTHY_S = 60.0
MAX_WAIT_S = 60.0
EVERY_S = 2.0
PATIENCE_S = 60.0  # of one call to Ray: a head that does not answer for so long counts as away


class Backoff:
    """When a job that failed may be tried again: 1, 2, 4 … 60 s, from 1 again once it lived for a minute."""

    def __init__(self) -> None:
        self.wait = 1.0
        self.not_before = 0.0
        self.started = 0.0
        self.restarts = -1

    def ready(self, now: float) -> bool:
        return now >= self.not_before

    def begin(self, now: float) -> None:
        self.started = now
        self.restarts += 1

    def failed(self, now: float) -> None:
        if now - self.started > HEALTHY_S:
            self.wait = 1.0
        self.not_before = now + self.wait
        self.wait = min(MAX_WAIT_S, self.wait * 2)


class Control:
    """One pass compares what runs with what should, and mends the difference."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self.config = config
        self.layout = layout
        headers = {"Authorization": f"Bearer {layout.ray_token()}"}
        self.client = own_client(
            base_url=f"http://{ADDRESS}:{config.ports.dashboard}", headers=headers, timeout=PATIENCE_S
        )
        self.ids: dict[str, str] = {}
        self.backoff = {name: Backoff() for name in JOBS}
        self.deployed = False

    def tick(self) -> None:
        self.deploy()
        self.jobs(RayJobs(self.client))
        self.layout.write(
            self.layout.control,
            {
                "jobs": self.ids,
                "restarts": {name: max(0, b.restarts) for name, b in self.backoff.items()},
                "at": time.time(),
            },
        )

    def deploy(self) -> None:
        """Give Serve its configuration if it has no application (first start, or a new Ray head)."""
        answer = self.client.get("/api/serve/applications/")
        answer.raise_for_status()
        wanted = serve_config(self.config, self.layout)
        present = answer.json().get("applications", {})
        if all(app["name"] in present for app in wanted["applications"]) and self.deployed:
            return
        self.client.put("/api/serve/applications/", json=wanted).raise_for_status()
        self.deployed = True
        print("deployed the Serve application", flush=True)

    def jobs(self, ray: RayJobs) -> None:
        now = time.monotonic()
        known = ray.all()
        for name, module in JOBS.items():
            alive = [job for job in known.values() if job.name == name and job.alive]
            backoff = self.backoff[name]
            if alive:
                if self.ids.get(name) != alive[0].id:  # running from before: take it over
                    self.ids[name] = alive[0].id
                    backoff.begin(now)
                continue
            if self.ids.get(name):
                ended = known.get(self.ids.pop(name))
                print(f"{name} ended: {ended.message if ended else 'gone'}"[:500], flush=True)
                if ended is not None:  # else it went with its head, which is no fault of its own
                    backoff.failed(now)
            if backoff.ready(now):
                self.ids[name] = ray.submit(name, module, self.layout.config)
                backoff.begin(now)
                print(f"started {name} as {self.ids[name]}", flush=True)


def main() -> None:
    config = load_config(env.read().config)
    layout = Layout.of(config)
    control = Control(config, layout)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        problem: Any = None
        try:
            control.tick()
        except (httpx.HTTPError, ValueError, KeyError, UserError, msgspec.MsgspecError) as error:
            control.deployed = False
            problem = error
        if problem is not None:
            print(f"waiting for Ray: {problem}"[:500], flush=True)
        stop.wait(EVERY_S)


if __name__ == "__main__":
    main()
