"""The window loop: plan, read, evaluate, train, publish."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from rayapp.config import Config
from rayapp.domain import Event, Forget, InvalidRecord
from rayapp.metrics import Metrics
from rayapp.redrec.artifact import ItemSpace, load_user_side, save_user_side
from rayapp.redrec.item_vectors import ItemVectors
from rayapp.redrec.learner_state import LearnerState
from rayapp.redrec.online import OnlineTrainer, evaluate_window, prepare
from rayapp.stores.client import connect
from rayapp.stores.items import ItemReader
from rayapp.stores.registry import Manifest, Registry
from streaming.reading import consumer_for, read_plan, watermarks
from streaming.records import behaviour_record
from streaming.windows import Plan, PlanLog, plan_window, verify

HISTORY_WINDOWS = 20


class Learner:
    """HEAD's weights, optimiser, histories and offsets, moved forward one window at a time."""

    def __init__(self, config: Config, name: str) -> None:
        self.config = config
        self.settings = config.learner
        self.topic = config.topic("behaviour")
        self.registry = Registry(config.models, name)
        self.metrics = Metrics()
        self.consumer = consumer_for(config.bootstrap)
        head = self.registry.resolve("HEAD")
        self.manifest = self.registry.manifest(head)
        # A model trained anew has a space of its own and counts its windows from 0: another one's plans are not its own.
        self.plans = PlanLog(config.state_path / "plans" / name / self.manifest.space)
        folder = self.registry.fetch(head)
        self.user = load_user_side(folder, self.manifest.config)
        dedupe_ms = int(config.history.dedupe_hours * 3_600_000)
        self.state = LearnerState.load(folder, self.user.config.length, dedupe_ms)
        self.space = ItemSpace(self.registry.space_folder(self.manifest.space), self.manifest.config)
        reader = ItemReader(connect(config.store_url))
        self.items = ItemVectors(
            self.space,
            lambda ids: [(s.item_id, s.item.scenario if s.item else None, s.content) for s in reader.fetch(ids)],
        )
        s = self.settings
        self.trainer = OnlineTrainer(self.user, s.lr, s.clip, s.negatives, s.in_batch, s.seed)
        if (folder / "optimiser.pt").is_file():
            self.trainer.optimiser.load_state_dict(torch.load(folder / "optimiser.pt", weights_only=True))
        self.offsets = {int(p): o for p, o in self.manifest.offsets.get(self.topic, {}).items()}
        self.window = int(self.manifest.metrics.get("window", 0))
        self.events_seen = self.manifest.events_seen
        self.skipped = dict(self.manifest.skipped)
        self.recent: list[dict[str, dict[str, float]]] = []
        self.unpublished: list[int] = []  # received_ms of live events trained on since the last version
        self.pending = False

    def run(self, windows: int = 0) -> None:
        """Until killed, or for `windows` windows."""
        published = time.monotonic()
        waiting_since: float | None = None
        done = 0
        while True:
            plan = self.plans.read(self.window + 1)  # a plan behind the checkpoint is replayed as it stands
            if plan is None:
                found = plan_window(
                    self.window + 1,
                    self.topic,
                    self.offsets,
                    watermarks(self.consumer, self.topic),
                    self.settings.max_rows,
                )
                if found is not None:
                    waiting_since = waiting_since or time.monotonic()
                    full = found.rows >= self.settings.max_rows
                    if full or time.monotonic() - waiting_since >= self.settings.max_age_s:
                        plan = self.plans.write(found)
            if plan is not None:
                self.learn(plan)
                waiting_since = None
                done += 1
            due = time.monotonic() - published >= self.settings.publish_s
            finished = windows and done >= windows
            if self.pending and (due or finished):
                self.publish()
                published = time.monotonic()
            if finished:
                return
            if plan is None:
                time.sleep(0.25)

    def learn(self, plan: Plan) -> None:
        """One window: read what was planned, evaluate, then train."""
        rows = self._read(plan)
        records: list[tuple[Event | Forget, int]] = []
        live: list[int] = []
        for row in rows.to_pylist():
            place = f"{self.topic}-{row['partition']}-{row['offset']}"
            try:
                record = behaviour_record(row["value"], self.config.scenarios, row["append_ms"], place)
            except InvalidRecord as error:  # the history writer sends it to the dead-letter topic
                self._skip(error.reason)
                continue
            records.append((record, row["append_ms"]))
            if isinstance(record, Event) and not row["bulk"]:
                live.append(record.received_ms)
        examples, counted = self.state.advance(records)
        window = prepare(examples, self.items, self.user)
        scores = evaluate_window(self.user, window, self.items)
        loss = self.trainer.step(window, self.items, plan.number)
        self.offsets.update(plan.ends())
        self.window = plan.number
        self.events_seen += counted
        if window.unknown_items:
            self._skip("unknown_item", window.unknown_items)
        if scores:
            self.recent = [*self.recent, scores][-HISTORY_WINDOWS:]
        self.unpublished += live
        self.pending = True
        self._observe("train", live)
        for scenario, values in scores.items():
            for metric in ("hr@10", "hr@50", "mrr"):
                self.metrics.set("rayapp_prequential", values[metric], metric=metric, scenario=scenario)
        print(
            f"window {plan.number}: {plan.rows} rows, {counted} events, {len(window.targets)} positives, loss {loss:.3f}",
            flush=True,
        )

    def _read(self, plan: Plan) -> pa.Table:
        """Rows in (partition, offset) order, checked against the plan."""
        batches = read_plan(self.config.bootstrap, plan).iter_batches(batch_size=None, batch_format="pyarrow")
        table = pa.concat_tables(batches).sort_by([("partition", "ascending"), ("offset", "ascending")])
        partitions, counts = np.unique(table["partition"].to_numpy(), return_counts=True)
        verify(plan, dict(zip(partitions.tolist(), counts.tolist(), strict=True)))
        return table

    def publish(self) -> None:
        """A new version from the present state; only finite weights may be served."""
        finite = all(bool(torch.isfinite(p).all()) for p in self.user.parameters())
        manifest = Manifest(
            version=self.registry.next_version(),
            parent=self.manifest.version,
            space=self.manifest.space,
            created_ms=0,
            offsets={self.topic: {str(p): o for p, o in sorted(self.offsets.items())}},
            events_seen=self.events_seen,
            skipped=self.skipped,
            metrics={"window": self.window, "prequential": self._prequential()},
            gate="unproven" if finite else "weights are not finite",
            config=self.manifest.config,
        )

        def write(folder: Path) -> None:
            save_user_side(folder, self.user)
            torch.save(self.trainer.optimiser.state_dict(), folder / "optimiser.pt")
            self.state.save(folder)

        self.manifest = self.registry.publish(manifest, write)
        self.registry.retire(self.settings.keep_versions)
        line = [m for m in map(self.registry.manifest, self.registry.versions()) if m.space == self.manifest.space]
        self.plans.trim(int(line[0].metrics.get("window", 0)))
        self._observe("publish", self.unpublished)
        self.metrics.count("rayapp_publish_total", outcome=self.manifest.gate)
        self.unpublished = []
        self.pending = False
        if not self.manifest.usable:
            raise RuntimeError(f"version {self.manifest.version} was rejected: {self.manifest.gate}")
        print(f"published {self.registry.name}@{self.manifest.version}: {self.events_seen} events seen", flush=True)

    def _prequential(self) -> dict[str, float]:
        """Means over the last windows' positives."""
        rows = [v for window in self.recent for v in window.values()]
        weight = sum(v["count"] for v in rows)
        if not weight:
            return {}
        return {m: sum(v[m] * v["count"] for v in rows) / weight for m in ("hr@10", "hr@50", "mrr")} | {"count": weight}

    def _skip(self, reason: str, count: int = 1) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + count
        self.metrics.count("rayapp_events_skipped_total", count, reason=reason)

    def _observe(self, stage: str, received: list[int]) -> None:
        now = time.time() * 1000
        for at in received:
            self.metrics.observe("rayapp_freshness_seconds", (now - at) / 1000, stage=stage)
