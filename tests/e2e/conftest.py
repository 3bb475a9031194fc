"""One whole system for all end-to-end tests: the command line starts it, HTTP and Kafka drive it.

A test module names the state that it needs by a fixture: `system` runs without
the language model, `system_with_llm` with it, and `system_to_restart` starts
without it and may end in either state. Each brings the one system into that
state when the module begins, so files may run alone and in any order. Modules
with the same state are run one after the other, which saves starts and
nothing else. A module leaves no experiment running that answers to others.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from rayapp.cli.machine.paths import Layout
from rayapp.config import Config, Kafka, Llm, OnlineSettings, Ports, Training, load_config, save_config
from tests.conftest import free_ports
from tests.helpers import eventually

# In the order that takes two starts: a restart ends with the language model.
STATES = ("system", "system_to_restart", "system_with_llm")
SCRIPT = Path(sys.executable).parent / "rayapp"


class System:
    """A running system seen from outside."""

    def __init__(self, state: Path, config_file: Path) -> None:
        self.state = state
        self.config_file = config_file
        self.http = httpx.Client(timeout=30)

    @property
    def config(self) -> Config:
        return load_config(self.state / "config.yaml")

    def cli(self, *arguments: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(SCRIPT), "--state", str(self.state), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def logs(self) -> str:
        tails = [f"== {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in (self.state / "logs").glob("*.log")]
        return "\n".join(tails)

    def up(self, *arguments: str) -> str:
        out = self.cli("up", "--detach", *arguments, timeout=1500).stdout
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.config.ports.http}", timeout=30)
        return out

    def ensure(self, *, llm: bool) -> None:
        """Running with or without the language model; starts again where it is not in that state."""
        with contextlib.suppress(httpx.HTTPError):
            if self.config.llm.enabled == llm and self.http.get("/readyz").status_code == 200:
                return
        self.up("--llm" if llm else "--no-llm")

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post_events(self, *events: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post("/v1/events", json={"events": list(events)})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def put_note(self, item_id: str, title: str) -> None:
        """Put and wait until the catalogue has it."""
        answer = self.http.put("/v1/items", json={"items": [{"item_id": item_id, "title": title, "author": "ann"}]})
        assert answer.status_code == 202, answer.text
        eventually(lambda: self.http.get(f"/v1/items/{item_id}").status_code == 200, 30, f"{item_id} in the catalogue")

    def verdict(self, item_id: str) -> dict[str, Any] | None:
        return self.get(f"/v1/items/{item_id}")["verdict"]

    def decide(self, item_id: str, decision: str) -> None:
        """A person's verdict."""
        answer = self.http.put(f"/v1/items/{item_id}/verdict", json={"decision": decision, "reason": "a test"})
        assert answer.status_code == 200, answer.text

    def click(self, user: str, items: list[str], scenario: str = "homefeed") -> None:
        """Click and wait until the history has it."""
        before = len(self.history(user))
        self.post_events(*({"user_id": user, "item_id": i, "scenario": scenario, "action": "click"} for i in items))
        eventually(lambda: len(self.history(user)) == before + len(items), 30, "clicks in the history")

    def history(self, user: str) -> list[dict[str, Any]]:
        return self.get(f"/v1/users/{user}/history", limit=500)["events"]

    def feed_ids(self, user: str, **params: Any) -> list[str]:
        return [item["item_id"] for item in self.get("/v1/feed", user_id=user, **params)["items"]]

    def status(self) -> dict[str, Any]:
        return json.loads(self.cli("status", "--json").stdout)

    def processes(self, words: str = "") -> list[psutil.Process]:
        """Processes of this system with `words` in their command."""
        found = []
        for process in Layout(self.state).processes():
            with contextlib.suppress(psutil.Error):
                if words in " ".join(process.cmdline()):
                    found.append(process)
        return found


@contextlib.contextmanager
def running(folder: Path, **settings: Any) -> Iterator[System]:
    """A system of its own with these settings, without a language model; gone afterwards, all of it."""
    names = ("http", "kafka", "store", "ray", "dashboard", "ray_client", "dashboard_agent", "metrics", "prometheus")
    config = Config(
        ports=Ports(**dict(zip(names, free_ports(len(names)), strict=True))),
        kafka=Kafka(partitions=2),
        training=Training(minutes=0.7),
        learner=OnlineSettings(max_age_s=1.0, publish_s=5.0, gate_wait_s=1.0),
        llm=Llm(backlog_share=0.02),  # the other tests share two cores with three thousand notes to judge
        **settings,
    )
    file = folder / "config.yaml"
    save_config(config, file)
    system = System(folder / "state", file)
    try:
        system.up("--config", str(file), "--no-llm")  # two cores: the model starts when a module needs it
        yield system
    finally:
        system.cli("down", check=False)
        left = [(process.pid, process.name()) for process in system.processes()]
        assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def _only_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture(scope="module")
def system(_only_system: System) -> System:
    """The system without its language model."""
    _only_system.ensure(llm=False)
    return _only_system


@pytest.fixture(scope="module")
def system_with_llm(_only_system: System) -> System:
    """The system with its language model, answering."""
    _only_system.ensure(llm=True)
    return _only_system


@pytest.fixture(scope="module")
def system_to_restart(_only_system: System) -> System:
    """The system without its language model, for a module that stops it and starts it in another state."""
    _only_system.ensure(llm=False)
    return _only_system


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules of one state together, otherwise as they were; see above."""

    def state(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        return max((n for n, name in enumerate(STATES) if name in names), default=-1)

    here = Path(__file__).parent
    place = [n for n, item in enumerate(items) if here in item.path.parents]
    latest: dict[Path, int] = {}
    for n in place:
        latest[items[n].path] = max(latest.get(items[n].path, -1), state(items[n]))
    ordered = sorted((items[n] for n in place), key=lambda item: latest[item.path])
    for n, item in zip(place, ordered, strict=True):
        items[n] = item
