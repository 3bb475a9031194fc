"""The learner's next window: what the log has, planned once it is due, and planned once only."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from rayapp.config import Config
from rayapp.learner.position import Position
from rayapp.learner.waiting import Waiting
from rayapp.learner.window_rows import last_records, read_patiently, recreated
from streaming.reading import consumer_for, watermarks
from streaming.windows import LogTruncated, Plan, PlanLog, WindowError, plan_window, within


class Planner:
    """Asks the log where it ends. A broker that is away is waited for, whichever call meets it."""

    def __init__(
        self,
        config: Config,
        *,
        waiting: Waiting,
        say: Callable[[str], None],
        skip: Callable[[str, int], None],
    ) -> None:
        """`skip(reason, count)`: told of records that are gone."""
        self.config = config
        self.settings = config.learner
        self.waiting = waiting
        self.say = say
        self.skip = skip
        self.consumer = consumer_for(config.broker)
        # The embedded broker writes to disk at a clean stop alone: what a kill takes from it is no reason to stop.
        self.accepts_loss = self.settings.on_gap == "skip" or config.broker.embedded
        self.read_up_to = time.monotonic()  # when the whole log was last planned: bounds the wait of a record

    def start(self, position: Position, plans: PlanLog) -> None:
        """Plan from this position on."""
        self.position = position
        self.plans = plans
        self.read_up_to = time.monotonic()

    def check(self) -> bool:
        """Whether the log is the one that was read before, or its loss is accepted; False while the broker is away.

        Raises WindowError.
        """
        try:
            self._check()
        except KafkaException as error:
            self._broker_is_away(error)
            return False
        self.waiting.over("broker")
        return True

    def _check(self) -> None:
        stand = self.position
        last = last_records(stand.topic, stand.offsets, stand.appended, watermarks(self.consumer, stand.topic))
        rows = read_patiently(self.config.broker, last, waiting=self.waiting) if last.ranges else None
        other = recreated(rows, stand.appended) if rows is not None else {}
        for partition, at in other.items():
            if not self.accepts_loss:
                raise WindowError(
                    f"{stand.topic}/{partition}: the record before offset {stand.offsets[partition]} was appended at "
                    f"{at} ms, the checkpoint read one of {stand.appended[partition]} ms; the topic was recreated: "
                    "restore it, or set learner.on_gap: skip to go on with what is there"
                )
        stand.accept_loss(other, self.consumer)

    def due(self) -> Plan | None:
        """The next window, if it is due. A full disk and a log that lost its tail are no reason to stop either.

        Raises WindowError.
        """
        try:
            try:
                return self._due()
            except LogTruncated as error:
                if not self.accepts_loss:
                    raise
                self.position.accept_loss([error.at[1]], self.consumer)
        except KafkaException as error:
            self._broker_is_away(error)
        except OSError as error:
            self.waiting.on("plan", f"no plan could be written ({error}); trying again")
        return None

    def _due(self) -> Plan | None:
        """A plan after the checkpoint is replayed unchanged. Raises KafkaException, LogTruncated, OSError."""
        stand = self.position
        plan = self.plans.read(stand.window + 1)
        now = time.monotonic()
        if plan is not None and (plan := self._left_of(plan)) is not None:
            self.waiting.over("broker")
            return plan
        marks = watermarks(self.consumer, stand.topic)
        self.waiting.over("broker")
        window = plan_window(
            stand.window + 1,
            stand.topic,
            stand.offsets,
            marks,
            max_rows=self.settings.max_rows,
            skip_gaps=self.settings.on_gap == "skip",
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
        written = self.plans.write(window)
        self.waiting.over("plan")
        return written

    def _left_of(self, plan: Plan) -> Plan | None:
        """A stored plan as the log still has it; None if nothing of it is left."""
        if not self.accepts_loss:
            return plan
        highs = {p: high for p, (_, high) in watermarks(self.consumer, self.position.topic).items()}
        left = within(plan, highs)
        if left.ranges == plan.ranges:
            return plan
        self.say(f"window {plan.number}: the log has lost {plan.rows - left.rows} of its {plan.rows} records")
        self.skip("lost", plan.rows - left.rows)
        self.plans.replace(left)
        return left if left.ranges else None

    def _broker_is_away(self, error: KafkaException) -> None:
        self.waiting.on("broker", f"the broker at {self.config.bootstrap} does not answer ({error}); waiting for it")
