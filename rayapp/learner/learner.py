"""The window loop: plan, read, evaluate, train; periodically propose a candidate to the gate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.experiments.named_versions import named_versions
from rayapp.freshness import Freshness
from rayapp.learner.candidate import CandidateVersion, scratch_folder, served_side
from rayapp.learner.command import Command
from rayapp.learner.planner import Planner
from rayapp.learner.position import Position
from rayapp.learner.waiting import Waiting
from rayapp.learner.window_rows import last_appended, parse_rows, read_patiently
from rayapp.metrics import Metrics
from rayapp.redrec.online.item_vectors import NewItem
from rayapp.redrec.online.online_model import USER_FILES
from rayapp.redrec.online.prequential import RecentScores, evaluate_window
from rayapp.redrec.online.window import mentioned
from rayapp.secrets import hidden_in_url
from rayapp.stores.open import open_store
from rayapp.stores.ports import StoreUnreachable
from rayapp.stores.records import StoredItem
from rayapp.stores.registry import Registry, RegistryError
from rayapp.workers import Crew
from streaming.reporter import Reporter
from streaming.windows import Plan, PlanLog

log = logging.getLogger(__name__)

POLL_S = 0.25
STATE_S = 2.0  # between reports of the learner's own state
BEAT_S = 60.0  # rank 0 sends a command at least this often, which bounds the wait of collectives


class Learner:
    """HEAD's weights, memory and offsets, advanced one window at a time."""

    def __init__(
        self,
        config: Config,
        name: str,
        *,
        crew: Crew | None = None,
        takes: Callable[[str], bool] | None = None,
        say: Callable[[str], None] = log.info,
    ) -> None:
        """The learner of the model `name` of the registry; a worker of `crew` (alone by default).

        `takes(user_id)`: whose behaviour is learned from (all users by default); histories and counts include all.
        `say`: gets a line for each window, version and outage.
        """
        self.config = config
        self.takes = takes
        self.say = say
        self.waiting = Waiting(say)
        self.planner = Planner(config, waiting=self.waiting, say=say, skip=self._skip)
        self.settings = config.learner
        self.crew = crew or Crew()
        self.registry = Registry(config.models, name)
        self.metrics = Metrics()
        store = open_store(config.store_url)
        self.reader = store.catalogue()
        self.experiments = store.experiments()
        self.reporter = Reporter(f"learner:{name}", store.job_states())
        self.beaten = -BEAT_S
        self.bare: set[int] = set()  # versions that remember nobody any more
        self.scratch = scratch_folder(config.state_path / "candidates")
        self.resume()

    def resume(self) -> None:
        """Load the state of HEAD."""
        self.position = Position(self.config, self.registry, crew=self.crew, say=self.say)
        self.model = self.position.model
        # A newly trained model has a new space and counts windows from 0, so plans are stored per space.
        self.plans = PlanLog(self.config.state_path / "plans" / self.registry.name / self.position.manifest.space)
        self.pending = False
        self.candidate: CandidateVersion | None = None
        self.proposed = time.monotonic()
        self.freshness = Freshness(self.metrics)
        self.recent = RecentScores()
        self.planner.start(self.position, self.plans)
        while self.crew.leads and not self.planner.check():
            self._report_state()
            time.sleep(POLL_S)

    def run(self, windows: int = 0) -> None:
        """Learn until killed, or `windows` windows, the last of which is published."""
        try:
            self._run(windows)
        except UserError as error:  # what it cannot get past; the restarted learner meets it again
            self.reporter.problem(error)
            self.reporter.beat()
            raise

    def _run(self, windows: int) -> None:
        last = self.position.window + windows if windows else None
        while True:
            command = self.crew.agree(self._decide(last) if self.crew.leads else None)
            if command.plan is not None:
                self.learn(command.plan)
            elif command.name == "resume":
                self.resume()
            elif command.name == "stop":
                return

    def _decide(self, last: int | None) -> Command:
        """The next command for all workers; publishes due candidates while waiting. Rank 0 only."""
        until = time.monotonic() + BEAT_S
        while time.monotonic() < until:
            finished = last is not None and self.position.window >= last
            if self._publish_what_is_due(finished):
                return Command("resume")
            if finished and not self.pending and self.candidate is None:
                return Command("stop")
            plan = None if finished else self.planner.due()
            self._report_state()
            if plan is not None:
                return Command("learn", plan)
            time.sleep(POLL_S)
        return Command("wait")

    def _report_state(self) -> None:
        now = time.monotonic()
        if now - self.beaten >= STATE_S:
            self.beaten = now
            self.reporter.problem(self.waiting.text)
            self.reporter.beat()

    def learn(self, plan: Plan) -> None:
        """One window: read what was planned, evaluate, then train."""
        table = read_patiently(self.config.broker, plan, waiting=self.waiting)
        parsed = parse_rows(table, self.position.topic, self.config.scenarios)
        self.freshness.read(parsed.live_ms)
        for gap in plan.gaps:
            self.say(
                f"{gap.topic}/{gap.partition}: {gap.rows} records from offset {gap.start} on were removed by retention"
            )
            self._skip("retention", gap.rows)
        for reason, count in parsed.skipped.items():
            self._skip(reason, count)
        examples, counted = self.model.advance(parsed.rows, plan.drained, plan.share)
        if self.takes is not None:
            examples = [example for example in examples if self.takes(example.user_id)]
        self.model.items.add(self._new_items(plan, self.model.items.missing(mentioned(examples))))
        window = self.model.prepare(examples, plan.share)
        scores: dict[str, dict[str, float]] = {}
        if self.crew.leads:
            if self.candidate is not None:
                self.candidate.score(window.positives, self.model.items)
            scores = evaluate_window(self.model.user, window.positives, self.model.items)
        loss = self.model.learn(window, plan.number)
        self.position.move(plan, counted, last_appended(table))
        if window.unknown_items:
            self._skip("unknown_item", window.unknown_items)
        self.pending = True
        self.freshness.trained(parsed.live_ms)
        if not self.crew.leads:
            return
        self.recent.add(scores)
        for scenario, values in scores.items():
            for metric in ("hr@10", "hr@50", "mrr"):
                self.metrics.set("rayapp_prequential", values[metric], metric=metric, scenario=scenario)
        left = sum(len(n.rows) for n in window.negatives)
        self.say(
            f"window {plan.number}: {plan.rows} rows, {counted} events, {len(window.positives)} positives, "
            f"{left} negatives, loss {loss:.3f}" + (f", share {plan.share:.2f}" if plan.share < 1 else "")
        )

    def _new_items(self, plan: Plan, ids: list[str]) -> list[NewItem]:
        """Items of the store by id, read once per plan and attached to it, so that a replay sees the same."""
        new_items: list[NewItem] | None = None
        if self.crew.leads:
            attachment = self.plans.attached(plan.number)
            if attachment is None:
                known = [
                    (s.item_id, s.item.scenario, s.content, bool(s.item.text))
                    for s in self._stored(ids)
                    if s.item is not None and s.content is not None
                ]
                new = self.model.items.project(known)
                attachment = self.plans.attach(plan.number, msgspec.msgpack.encode(new))
            new_items = msgspec.msgpack.decode(attachment, type=list[NewItem])
        return self.crew.agree(new_items)

    def _stored(self, ids: list[str]) -> list[StoredItem]:
        """Items from the store; waits while it is unreachable, because the window needs them."""
        while ids:
            try:
                found = self.reader.fetch(ids)
            except StoreUnreachable as error:
                store = hidden_in_url(self.config.store_url)
                self.waiting.on("store", f"the store at {store} does not answer ({error}); waiting for it")
                time.sleep(POLL_S)
            else:
                self.waiting.over("store")
                return found
        return []

    def _publish_what_is_due(self, now: bool) -> bool:
        """Propose and settle candidates when due; True if training must return to the served weights."""
        due = now or time.monotonic() - self.proposed >= self.settings.publish_s
        try:
            if self.candidate is None and self.pending and due:
                self.propose()
            if self.candidate is not None and (now or self.candidate.ready(self.settings.gate_wait_s)):
                return not self.settle(self.candidate)
        except OSError as error:  # full disk or unreachable registry: keep serving and training
            if now:
                raise
            every = f"trying again every {self.settings.publish_s:g} s"
            self.waiting.on("version", f"no version could be written ({error}); {every}")
            self.metrics.count("rayapp_publish_total", outcome="failed")
            if self.candidate is not None:
                self.freshness.rejected(self.candidate.received_ms)
                self.candidate.close()
            self.candidate, self.pending, self.proposed = None, True, time.monotonic()
        return False

    def propose(self) -> None:
        """Snapshot the state as a candidate."""
        joined = msgspec.to_builtins(self.model.state.joiner.counts)
        metrics = {"prequential": self.recent.means(), "join": joined}
        manifest = self.position.next_manifest({**metrics, "received_ms": self.freshness.sample()})
        served = served_side(self.registry, self.position.manifest, say=self.say)
        taken = self.freshness.take()
        self.candidate = CandidateVersion(
            manifest, self.model.user, served, write=self.model.save, received_ms=taken, scratch=self.scratch
        )
        self.proposed = time.monotonic()
        self.pending = False

    def settle(self, candidate: CandidateVersion) -> bool:
        """Publish the candidate with the gate's decision; False if training must return to the served weights."""
        head = self.registry.resolve("HEAD")
        if head != self.position.manifest.version:
            candidate.close()
            raise RegistryError(
                f"{self.registry.name}: HEAD is {head}, this learner stands on {self.position.manifest.version}; "
                "another one published, so this one stops"
            )
        self.position.manifest = manifest = candidate.publish(self.registry)
        self.candidate = None
        self.waiting.over("version")
        self._retire()
        line = [m for m in map(self.registry.manifest, self.registry.versions()) if m.space == manifest.space]
        self.plans.trim(int(line[0].metrics.get("window", 0)))
        usable = manifest.usable
        self.metrics.count("rayapp_publish_total", outcome=manifest.gate if usable else "rejected")
        name = f"{self.registry.name}@{manifest.version}"
        if not usable:
            self.say(f"rejected {name}: {manifest.gate}")
            self.freshness.rejected(candidate.received_ms)
            return not self.position.must_go_back()
        self.freshness.published(candidate.received_ms)
        self.say(f"published {name} ({manifest.gate}): {manifest.events_seen} events seen")
        return True

    def _retire(self) -> None:
        """Remove old versions but those that a running experiment names; without the store nobody knows which."""
        try:
            running = [started.experiment for started in self.experiments.all() if started.running]
        except StoreUnreachable as error:
            self.waiting.on("old versions", f"no old version is removed ({error})")
            return
        self.waiting.over("old versions")
        self.registry.retire(self.settings.keep_versions, named=named_versions(running, self.registry.name))
        for version in self.registry.versions():  # HEAD, and what it was made from, can be learned on
            if version not in (self.position.manifest.version, self.position.manifest.parent, *self.bare):
                self.registry.drop(version, USER_FILES)
                self.bare.add(version)

    def _skip(self, reason: str, count: int = 1) -> None:
        self.position.skip(reason, count)
        if self.crew.leads:
            self.metrics.count("rayapp_events_skipped_total", count, reason=reason)
