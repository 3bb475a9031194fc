"""The window loop: plan, read, evaluate, train; now and then a candidate for the gate."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from jobs._candidate import Candidate, served_side
from rayapp.config import Config
from rayapp.domain import Event, Forget, InvalidRecord
from rayapp.metrics import Metrics
from rayapp.redrec.artifact import ItemSpace, load_user_side, save_user_side
from rayapp.redrec.item_vectors import ItemVectors
from rayapp.redrec.learner_state import LearnerState
from rayapp.redrec.online import OnlineTrainer, evaluate_window, prepare
from rayapp.stores.client import connect
from rayapp.stores.items import ItemReader
from rayapp.stores.registry import Manifest, Registry, RegistryError
from streaming.reading import consumer_for, read_plan, watermarks
from streaming.records import behaviour_record
from streaming.windows import Plan, PlanLog, plan_window, verify

HISTORY_WINDOWS = 20
REJECTIONS = 3  # in a row; then training goes on from what is served


class Learner:
    """HEAD's weights, optimiser, histories and offsets, moved forward one window at a time."""

    def __init__(self, config: Config, name: str) -> None:
        self.config = config
        self.settings = config.learner
        self.topic = config.topic("behaviour")
        self.registry = Registry(config.models, name)
        self.metrics = Metrics()
        self.consumer = consumer_for(config.bootstrap)
        self.reader = ItemReader(connect(config.store_url))
        self.recent: list[dict[str, dict[str, float]]] = []
        self.resume()

    def resume(self) -> None:
        """Everything as HEAD says. Weights that must not go on (see `_must_go_back`) are CURRENT's instead."""
        head = self.registry.resolve("HEAD")
        self.manifest = self.registry.manifest(head)
        # A model trained anew has a space of its own and counts its windows from 0: another one's plans are not its own.
        self.plans = PlanLog(self.config.state_path / "plans" / self.registry.name / self.manifest.space)
        folder = self.registry.fetch(head)
        self.user = load_user_side(folder, self.manifest.config)
        dedupe_ms = int(self.config.history.dedupe_hours * 3_600_000)
        self.state = LearnerState.load(folder, self.user.config.length, dedupe_ms)
        space = ItemSpace(self.registry.space_folder(self.manifest.space), self.manifest.config)
        self.items = ItemVectors(
            space,
            lambda ids: [(s.item_id, s.item.scenario if s.item else None, s.content) for s in self.reader.fetch(ids)],
        )
        self.offsets = {int(p): o for p, o in self.manifest.offsets.get(self.topic, {}).items()}
        self.window = int(self.manifest.metrics.get("window", 0))
        self.events_seen = self.manifest.events_seen
        self.skipped = dict(self.manifest.skipped)
        self.unpublished: list[int] = []  # received_ms of live events trained on since the last version
        self.pending = False
        self.candidate: Candidate | None = None
        go_back = self._must_go_back()
        if go_back:
            self._take_current_weights()
        s = self.settings
        self.trainer = OnlineTrainer(self.user, s.lr, s.clip, s.negatives, s.in_batch, s.seed)
        if not go_back and (folder / "optimiser.pt").is_file():
            self.trainer.optimiser.load_state_dict(torch.load(folder / "optimiser.pt", weights_only=True))

    def _must_go_back(self) -> bool:
        """HEAD is broken, or it and the two versions before it were rejected."""
        newest = [v for v in self.registry.versions() if v <= self.manifest.version][-REJECTIONS:]
        rejected = len(newest) == REJECTIONS and not any(self.registry.manifest(v).usable for v in newest)
        return rejected or not all(bool(torch.isfinite(p).all()) for p in self.user.parameters())

    def _take_current_weights(self) -> None:
        """The served weights at HEAD's offsets; what was learned in between is given up and counted."""
        current = self.registry.manifest(self.registry.resolve("CURRENT"))
        if current.space != self.manifest.space:
            raise RegistryError(
                f"{self.registry.name}@{self.manifest.version} was rejected, and CURRENT ({current.version}) has "
                "other item vectors: train again, or point HEAD at a usable version"
            )
        self.user = load_user_side(self.registry.fetch(current.version), current.config)
        self.skipped["given_up"] = current.skipped.get("given_up", 0) + self.manifest.events_seen - current.events_seen
        print(f"going on from the weights of {self.registry.name}@{current.version}, which is served", flush=True)

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
            finished = bool(windows and done >= windows)
            due = time.monotonic() - published >= self.settings.publish_s
            if self.candidate is None and self.pending and (due or finished):
                self.propose()
                published = time.monotonic()
            if self.candidate is not None and (finished or self.candidate.ready(self.settings.gate_wait_s)):
                self.settle(self.candidate)
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
        if self.candidate is not None:
            self.candidate.score(window, self.items)
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

    def propose(self) -> None:
        """The present state becomes a candidate."""
        manifest = Manifest(
            version=0,  # the gate's turn comes first
            parent=self.manifest.version,
            space=self.manifest.space,
            created_ms=0,
            offsets={self.topic: {str(p): o for p, o in sorted(self.offsets.items())}},
            events_seen=self.events_seen,
            skipped=dict(self.skipped),
            metrics={"window": self.window, "prequential": self._prequential()},
            gate="unproven",
            config=self.manifest.config,
        )

        def write(folder: Path) -> None:
            save_user_side(folder, self.user)
            torch.save(self.trainer.optimiser.state_dict(), folder / "optimiser.pt")
            self.state.save(folder)

        self.candidate = Candidate(
            manifest, self.user, served_side(self.registry, self.manifest), write, self.unpublished
        )
        self.unpublished = []
        self.pending = False

    def settle(self, candidate: Candidate) -> None:
        """The candidate becomes a version with the gate's verdict."""
        if self.registry.resolve("HEAD") != self.manifest.version:
            candidate.close()
            raise RegistryError(
                f"{self.registry.name}: HEAD is {self.registry.resolve('HEAD')}, this learner stands on "
                f"{self.manifest.version}; another one published, so this one stops"
            )
        self.candidate = None
        self.manifest = candidate.publish(self.registry)
        self.registry.retire(self.settings.keep_versions)
        line = [m for m in map(self.registry.manifest, self.registry.versions()) if m.space == self.manifest.space]
        self.plans.trim(int(line[0].metrics.get("window", 0)))
        usable = self.manifest.usable
        self.metrics.count("rayapp_publish_total", outcome=self.manifest.gate if usable else "rejected")
        name = f"{self.registry.name}@{self.manifest.version}"
        if usable:
            self._observe("publish", candidate.received_ms)
            print(f"published {name} ({self.manifest.gate}): {self.manifest.events_seen} events seen", flush=True)
            return
        print(f"rejected {name}: {self.manifest.gate}", flush=True)
        if self._must_go_back():
            self.resume()

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
