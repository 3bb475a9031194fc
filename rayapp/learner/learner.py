"""The window loop: plan, read, evaluate, train; periodically propose a candidate to the gate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

import msgspec
from confluent_kafka import KafkaException

from rayapp.config import Config
from rayapp.errors import UserError
from rayapp.experiments.named_versions import named_versions
from rayapp.freshness import Freshness
from rayapp.learner.candidate import CandidateVersion, scratch_folder, served_side
from rayapp.learner.command import Command
from rayapp.learner.position import Position
from rayapp.learner.window_rows import last_appended, last_records, parse_rows, read_patiently, recreated
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
from streaming.reading import consumer_for, watermarks
from streaming.reporter import Reporter
from streaming.windows import LogTruncated, Plan, PlanLog, WindowError, plan_window, within

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
        self.rows = partial(read_patiently, config.broker, say=self._report_once)
        self.say = say
        self.settings = config.learner
        self.crew = crew or Crew()
        self.registry = Registry(config.models, name)
        self.metrics = Metrics()
        self.consumer = consumer_for(config.broker)
        store = open_store(config.store_url)
        self.reader = store.catalogue()
        self.experiments = store.experiments()
        self.reporter = Reporter(f"learner:{name}", store.job_states())
        self.beaten = -BEAT_S
        self.bare: set[int] = set()  # versions that remember nobody any more
        # The embedded broker writes to disk at a clean stop alone: what a kill takes from it is no reason to stop.
        self.accepts_loss = self.settings.on_gap == "skip" or config.broker.embedded
        self.reported = ""
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
        self.read_up_to = time.monotonic()  # when the whole log was last planned: bounds the wait of a record
        self.freshness = Freshness(self.metrics)
        self.recent = RecentScores()
        while self.crew.leads and not self._checked():
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
            plan = None if finished else self._planned()
            self._report_state()
            if plan is not None:
                return Command("learn", plan)
            time.sleep(POLL_S)
        return Command("wait")

    def _checked(self) -> bool:
        """`_check_log`; False while the broker is away."""
        try:
            self._check_log()
        except KafkaException as error:
            self._broker_is_away(error)
            self._report_state()
            return False
        return True

    def _check_log(self) -> None:
        """Raises WindowError if the log is another one than was read before, unless its loss is accepted."""
        stand = self.position
        last = last_records(stand.topic, stand.offsets, stand.appended, watermarks(self.consumer, stand.topic))
        other = recreated(self.rows(last), stand.appended) if last.ranges else {}
        for partition, at in other.items():
            if not self.accepts_loss:
                raise WindowError(
                    f"{stand.topic}/{partition}: the record before offset {stand.offsets[partition]} was appended at "
                    f"{at} ms, the checkpoint read one of {stand.appended[partition]} ms; the topic was recreated: "
                    "restore it, or set learner.on_gap: skip to go on with what is there"
                )
        stand.accept_loss(other, self.consumer)

    def _planned(self) -> Plan | None:
        """`_plan`; a broker that is away, a full disk and a log that lost its tail are no reason to stop."""
        try:
            try:
                return self._plan()
            except LogTruncated as error:
                if not self.accepts_loss:
                    raise
                self.position.accept_loss([error.at[1]], self.consumer)
        except KafkaException as error:
            self._broker_is_away(error)
        except OSError as error:
            self._report_once("no plan could be written", f"({error}); trying again")
        return None

    def _fitting(self, plan: Plan) -> Plan | None:
        """A stored plan as the log still has it; None if nothing of it is left."""
        if not self.accepts_loss:
            return plan
        highs = {p: high for p, (_, high) in watermarks(self.consumer, self.position.topic).items()}
        left = within(plan, highs)
        if left.ranges == plan.ranges:
            return plan
        self.say(f"window {plan.number}: the log has lost {plan.rows - left.rows} of its {plan.rows} records")
        self._skip("lost", plan.rows - left.rows)
        self.plans.replace(left)
        return left if left.ranges else None

    def _report_state(self) -> None:
        now = time.monotonic()
        if now - self.beaten >= STATE_S:
            self.beaten = now
            self.reporter.problem(self.reported or None)
            self.reporter.beat()

    def _plan(self) -> Plan | None:
        """The next window, if it is due; a plan after the checkpoint is replayed unchanged. Raises KafkaException."""
        stand = self.position
        plan = self.plans.read(stand.window + 1)
        now = time.monotonic()
        if plan is not None and (plan := self._fitting(plan)) is not None:
            return plan
        marks = watermarks(self.consumer, stand.topic)
        self.reported = self.reported if self.pending else ""
        skip = self.settings.on_gap == "skip"
        window = plan_window(
            stand.window + 1,
            stand.topic,
            stand.offsets,
            marks,
            max_rows=self.settings.max_rows,
            skip_gaps=skip,
        )
        if window is None:
            self.read_up_to = now
            return None
        if self.config.broker.embedded and (lost := stand.rewritten(self.consumer)):
            stand.accept_loss(lost, self.consumer)
            return None
        full = window.rows >= self.settings.max_rows
        if not full and now - self.read_up_to < self.settings.max_age_s:
            return None
        self.read_up_to = now  # later records wait from now on, also while this window is learned
        return self.plans.write(window)

    def learn(self, plan: Plan) -> None:
        """One window: read what was planned, evaluate, then train."""
        table = self.rows(plan)
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
                return self.reader.fetch(ids)
            except StoreUnreachable as error:
                store = hidden_in_url(self.config.store_url)
                self._report_once(f"the store at {store} does not answer", f"({error}); waiting for it")
                time.sleep(POLL_S)
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
            self._report_once(
                "no version could be written", f"({error}); trying again every {self.settings.publish_s:g} s"
            )
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
            self._report_once("no old version is removed", f"({error})")
            return
        self.registry.retire(self.settings.keep_versions, named=named_versions(running, self.registry.name))
        for version in self.registry.versions():  # HEAD, and what it was made from, can be learned on
            if version not in (self.position.manifest.version, self.position.manifest.parent, *self.bare):
                self.registry.drop(version, USER_FILES)
                self.bare.add(version)

    def _broker_is_away(self, error: KafkaException) -> None:
        self._report_once(f"the broker at {self.config.bootstrap} does not answer", f"({error}); waiting for it")

    def _report_once(self, what: str, detail: str) -> None:
        """Report a lasting condition once."""
        if what != self.reported:
            self.say(f"{what} {detail}")
        self.reported = what

    def _skip(self, reason: str, count: int = 1) -> None:
        self.position.skip(reason, count)
        if self.crew.leads:
            self.metrics.count("rayapp_events_skipped_total", count, reason=reason)
