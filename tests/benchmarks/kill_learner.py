"""The learner killed with SIGKILL at random moments, held against one that never was: the long form of its unit test.

    .venv/bin/python -m tests.benchmarks.kill_learner --kills 20

Starts a broker and a store of its own and keeps events flowing (impressions,
clicks, duplicates, forget records, records that are no JSON). The real job
`jobs.learn_online` runs in a process group that is killed whole, again and
again, now at a random moment, now between writing and publishing a version.
Then a second learner goes through the same plans undisturbed. Offsets,
events_seen, what was skipped, and (with one worker) every weight must agree.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import msgspec
import numpy as np
import torch
import torch.nn.functional as F

from rayapp.cli.machine.embedded import broker_command, store_command
from rayapp.config import Config, Kafka, OnlineSettings, Ports, save_config
from rayapp.data.folder import DataFolder, vocabulary_of
from rayapp.data.sample_world import write_sample_world
from rayapp.domain import Event
from rayapp.redrec.model.artifact import load_user_side, model_description, save_space, save_user_side
from rayapp.redrec.model.redrec import ModelConfig, RedRec
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.learner_state import LearnerState
from rayapp.redrec.online.online_model import Memory, save_memory
from rayapp.redrec.online.reservoir import Reservoir
from rayapp.stores.open import open_store
from rayapp.stores.registry import Manifest, Registry
from rayapp.validation import InvalidRecord
from streaming.producer import EventProducer, Record
from streaming.reading import consumer_for, read_ranges, watermarks
from streaming.records import behaviour_record
from streaming.topics import ensure_topics
from streaming.windows import Range
from tests.conftest import free_ports


class Feeder(threading.Thread):
    """Events at a steady rate until stopped, of every kind a learner must cope with."""

    def __init__(self, config: Config, items: list[str], rate: float) -> None:
        super().__init__(daemon=True)
        self.config, self.items, self.rate = config, items, rate
        self.producer = EventProducer(config.broker)
        self.over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        rng = np.random.default_rng(0)
        while not self.over.wait(0.5):
            self.producer.send_all([self.record(rng) for _ in range(int(self.rate / 2))], timeout_s=30)
        self.producer.close()

    def record(self, rng: np.random.Generator) -> Record:
        self.sent += 1
        user = f"u{int(rng.integers(200))}"
        topic = self.config.topic("behaviour")
        kind = rng.random()
        if kind < 0.01:
            return Record(topic, user, b"no JSON")
        now = int(time.time() * 1000)
        if kind < 0.015:
            return Record(topic, user, msgspec.json.encode({"forget": True, "user_id": user, "received_ms": now}))
        number = self.sent if kind > 0.05 else max(1, self.sent - int(rng.integers(50)))  # some come twice
        action = "click" if rng.random() < 0.2 else "impression"
        item = self.items[int(rng.integers(len(self.items)))]
        event = {"event_id": f"e{number}", "user_id": user, "item_id": item, "scenario": "homefeed", "action": action}
        event |= {"request_id": f"r{self.sent // 10}", "timestamp_ms": now, "received_ms": now}
        return Record(topic, user, msgspec.json.encode(event))


def first_version(config: Config, world: Path) -> list[str]:
    """Version 1 without training: what is tested is what comes after it."""
    folder = DataFolder(world)
    items = folder.items()
    torch.manual_seed(0)
    content = torch.cat([F.normalize(torch.randn(len(items), 384), dim=-1), torch.zeros(1, 384)])
    model = RedRec(ModelConfig(), vocabulary_of(folder.interactions()), content).eval()
    registry = Registry(config.models)
    registry.put_space("s", lambda to: save_space(to, model, items, config.encoder))

    def write(to: Path) -> None:
        save_user_side(to, model.user)
        length = model.config.length
        save_memory(to, Memory(LearnerState(length), Reservoir(config.learner.reservoir, length), Frequency()))

    description = model_description(model, config.encoder)
    registry.publish(Manifest(1, None, "s", 0, {}, 0, {}, {}, "passed", description), write)
    return [item.item_id for item in items]


class Job:
    """`jobs.learn_online` in a process group of its own."""

    def __init__(self, config_file: Path, log: Path, windows: int, workers: int) -> None:
        command = [sys.executable, "-m", "jobs.learn_online", "--config", str(config_file)]
        command += ["--windows", str(windows), "--workers", str(workers)]
        self.log = log.open("ab")
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ}
        )

    def kill(self) -> None:
        """The driver and everything it started, at once; Ray's own processes die with their driver."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def finish(self) -> None:
        code = self.process.wait()
        self.log.close()
        if code:
            raise SystemExit(f"the learner ended with {code}; see {self.log.name}")


def distinct_events(config: Config) -> int:
    """Distinct valid events of users, counted from the log itself (a forgotten user's may count again)."""
    topic = config.topic("behaviour")
    seen, count = set(), 0
    consumer = consumer_for(config.broker)
    ranges = [Range(topic, p, low, high) for p, (low, high) in sorted(watermarks(consumer, topic).items())]
    for table in read_ranges(config.broker, ranges):
        for row in table.to_pylist():
            place = f"{row['partition']}-{row['offset']}"
            try:
                record = behaviour_record(row["value"], config.scenarios, row["append_ms"], place)
            except InvalidRecord:
                continue
            if isinstance(record, Event):
                count += (record.user_id, record.event_id) not in seen
                seen.add((record.user_id, record.event_id))
            else:
                seen = {key for key in seen if key[0] != record.user_id}
    return count


@click.command(help=__doc__)
@click.option("--kills", default=20)
@click.option("--rate", default=40.0, help="Events a second.")
@click.option("--workers", default=1)
@click.option("--seed", default=0)
def main(kills: int, rate: float, workers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = Path(tempfile.mkdtemp(prefix="rayapp-kill-"))
    kafka, store = free_ports(2)
    learner = OnlineSettings(max_age_s=1.0, publish_s=3.0, gate_wait_s=1.0, keep_versions=10_000, workers=workers)
    config = Config(
        state=str(root / "killed"), ports=Ports(kafka=kafka, store=store), kafka=Kafka(partitions=3), learner=learner
    )
    servers = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in (broker_command(config), store_command(config))
    ]
    try:
        open_store(config.store_url, wait_s=60)
        ensure_topics(config.broker)
        items = first_version(config, write_sample_world(root / "world"))
        calm = msgspec.structs.replace(config, state=str(root / "calm"))
        shutil.copytree(config.models, calm.models)
        for one in (config, calm):
            save_config(one, Path(one.state) / "config.yaml")
        feeder = Feeder(config, items, rate)
        feeder.start()
        _kill_again_and_again(config, kills, workers, rng)
        feeder.over.set()
        feeder.join()
        _compare(config, calm, workers)
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    shutil.rmtree(root)


def _kill_again_and_again(config: Config, kills: int, workers: int, rng: np.random.Generator) -> None:
    registry = Registry(config.models)
    file, log = Path(config.state) / "config.yaml", Path(config.state) / "learner.log"
    for n in range(kills):
        before = registry.resolve("HEAD")
        job = Job(file, log, 0, workers)
        writing = n % 3 == 2
        deadline = time.monotonic() + 300
        if writing:  # a version's files are there, its manifest is not
            target = Path(config.models) / config.name
            while not any(
                p.is_dir() and p.name.isdigit() and not (p / "manifest.json").exists() for p in target.iterdir()
            ):
                if time.monotonic() > deadline or job.process.poll() is not None:
                    raise SystemExit(f"no version was written; see {log}")
        else:
            while registry.resolve("HEAD") == before:
                if time.monotonic() > deadline or job.process.poll() is not None:
                    raise SystemExit(f"no version was published; see {log}")
                time.sleep(0.1)
            time.sleep(rng.uniform(0, 6))  # a random moment is what this is about
        job.kill()
        seen = registry.manifest(registry.resolve("HEAD"))
        click.echo(
            f"kill {n + 1} of {kills} ({'while publishing' if writing else 'at random'}): HEAD {seen.version}, "
            f"window {seen.metrics.get('window', 0)}, {seen.events_seen:,} events"
        )


def _compare(config: Config, calm: Config, workers: int) -> None:
    registry = Registry(config.models)
    plans = Path(config.state) / "plans" / config.name / "s"
    while True:  # the last learner goes on until it has read everything
        last = int(registry.manifest(registry.resolve("HEAD")).metrics.get("window", 0))
        planned = max((int(p.stem) for p in plans.glob("*.json")), default=0)
        marks = watermarks(consumer_for(config.broker), config.topic("behaviour"))
        offsets = registry.manifest(registry.resolve("HEAD")).offsets.get(config.topic("behaviour"), {})
        if planned <= last and all(offsets.get(str(p), 0) == high for p, (_, high) in marks.items()):
            break
        Job(
            Path(config.state) / "config.yaml", Path(config.state) / "learner.log", max(1, planned - last), workers
        ).finish()
    shutil.copytree(plans, Path(calm.state) / "plans" / calm.name / "s")
    click.echo(f"now the same {last} windows without a disturbance")
    Job(Path(calm.state) / "config.yaml", Path(calm.state) / "learner.log", last, workers).finish()
    killed, whole = (r.manifest(r.resolve("HEAD")) for r in (registry, Registry(calm.models)))
    count = distinct_events(config)
    result = {
        "windows": last,
        "events_seen": [killed.events_seen, whole.events_seen, count],
        "offsets equal": killed.offsets == whole.offsets,
        "skipped equal": killed.skipped == whole.skipped,
        "weights equal": _same(registry, killed, Registry(calm.models), whole),
    }
    click.echo(json.dumps(result))
    exact = killed.events_seen == whole.events_seen == count and killed.offsets == whole.offsets
    if not exact or (workers == 1 and not (result["weights equal"] and result["skipped equal"])):
        raise SystemExit("NOT the same")
    click.echo("the same")


def _same(registry: Registry, one: Manifest, other_registry: Registry, other: Manifest) -> bool:
    mine = load_user_side(registry.fetch(one.version), one.config).state_dict()
    theirs = load_user_side(other_registry.fetch(other.version), other.config).state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


if __name__ == "__main__":
    main()
