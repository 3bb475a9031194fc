"""What each user of an experiment did, from exposures and behaviour joined on the request: the input of a report.

The unit is the user (Deng et al. 2017): a user's events depend on each other, so
totals a user are what is independent. An event counts for the arm whose answer it
follows, by `request_id`, and only where that answer was given to the same user.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from rayapp.domain import Action, Event
from rayapp.experiments.aged import Aged
from rayapp.experiments.experiment import Experiment
from rayapp.exposure import Exposure
from rayapp.stats.quantile_sketch import QuantileSketch

ANSWER_MS = 24 * 3_600_000  # how long after an answer an event may follow from it
PRE = "pre_"  # of columns: the same count before the experiment, for CUPED


class UserTotals:
    """One experiment. Feed it exposures and events in any order within an answer's life; `start_ms` begins it."""

    def __init__(self, experiment: Experiment, start_ms: int, end_ms: int | None = None) -> None:
        self.experiment = experiment
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.arms: dict[str, str] = {}
        self.moved: set[str] = set()
        self.totals: dict[str, Counter[str]] = {}
        self.before: dict[str, Counter[str]] = {}
        self.latencies = {arm.name: QuantileSketch() for arm in experiment.arms}
        self.drafts: dict[str, dict[str, list[int]]] = {}  # arm to user to the teams of the notes clicked
        self._answers: Aged[str, str] = Aged()  # request to user, as long as something may follow from it
        self._teams: Aged[str, dict[str, int]] = Aged()  # of an interleaved answer's notes
        self._clicked: Aged[str, bool] = Aged()
        self._waiting: dict[str, list[Event]] = {}

    def expose(self, exposure: Exposure) -> None:
        """A record of `rayapp.exposures`; those of other experiments are left out."""
        arm = exposure.experiments.get(self.experiment.name)
        if arm not in self.latencies or not self._within(exposure.at_ms) or not self._counts(exposure.scenario):
            return
        user, request = exposure.user_id, exposure.request_id
        if request in self._answers:
            return
        if self.arms.setdefault(user, arm) != arm:
            self.moved.add(user)  # never by the hash: a sign that somebody changed the arms
            return
        self._answers.put(request, user, exposure.at_ms)
        self.latencies[arm].add(exposure.latency_ms)
        totals = self.totals.setdefault(user, Counter())
        totals["answers"] += 1
        totals["items"] += len(exposure.items)
        if teams := {item.item_id: item.team for item in exposure.items if item.team is not None}:
            self._teams.put(request, teams, exposure.at_ms)
        for event in self._waiting.pop(request, ()):
            self._count(request, event)

    def act(self, event: Event) -> None:
        """A valid, distinct record of `rayapp.behaviour`."""
        user, at = event.user_id, event.received_ms
        if at < self.start_ms:
            if self._counts(event.scenario):
                self.before.setdefault(user, Counter())[event.action.value] += 1
            return
        request = event.request_id
        if not request or not self._within(at):
            return
        if request in self._answers:
            self._count(request, event)
        else:  # the exposure lies on another partition, or comes a moment later
            self._waiting.setdefault(request, []).append(event)

    def forget(self, user_id: str) -> None:
        """Nothing of what the user did until now counts."""
        self.arms.pop(user_id, None)
        self.moved.discard(user_id)
        self.before.pop(user_id, None)
        for users in self.drafts.values():
            users.pop(user_id, None)
        left = ((r, [e for e in events if e.user_id != user_id]) for r, events in self._waiting.items())
        self._waiting = {request: events for request, events in left if events}
        if self.totals.pop(user_id, None) is not None:
            self._answers.remove(lambda user: user == user_id)

    def give_up(self, before_ms: int) -> None:
        """Events older than this wait for no answer any more (most follow answers outside the experiment), and nothing
        follows any more from answers a day older."""
        for held in (self._answers, self._teams, self._clicked):
            held.expire(before_ms - ANSWER_MS)
        self._waiting = {
            request: events for request, events in self._waiting.items() if events[-1].received_ms >= before_ms
        }

    def _count(self, request: str, event: Event) -> None:
        user = event.user_id
        if self._answers.get(request) != user:
            return
        self.totals[user][event.action.value] += 1
        if event.action is not Action.CLICK:
            return
        if request not in self._clicked:
            self._clicked.put(request, True, event.received_ms)
            self.totals[user]["clicked_answers"] += 1
        team = (self._teams.get(request) or {}).get(event.item_id or "")
        if team is not None:
            self.drafts.setdefault(self.arms[user], {}).setdefault(user, []).append(team)

    def table(self) -> pd.DataFrame:
        """One row per exposed user: user_id, arm, every count that the metrics need, and the same before it."""
        counts = list(dict.fromkeys(count for metric in self.experiment.metrics for count in metric.counts))
        users = [user for user in self.arms if user not in self.moved]
        rows: dict[str, Any] = {"user_id": users, "arm": [self.arms[user] for user in users]}
        for count in counts:
            rows[count] = np.array([self.totals[user][count] for user in users], dtype=float)
            rows[PRE + count] = np.array([self.before.get(user, Counter())[count] for user in users], dtype=float)
        return pd.DataFrame(rows)

    def _within(self, at_ms: int) -> bool:
        return self.start_ms <= at_ms and (self.end_ms is None or at_ms < self.end_ms)

    def _counts(self, scenario: str) -> bool:
        return not self.experiment.scenarios or scenario in self.experiment.scenarios
