"""A behaviour log replayed in event time: each positive is ranked by every arm before any model learns from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rayapp.domain import Event
from rayapp.redrec.evaluation.popularity import DecayedPopularity, RecentPopularity
from rayapp.redrec.evaluation.sync_arms import SyncArm
from rayapp.redrec.model.artifact import ItemSpace
from rayapp.redrec.online.item_vectors import NewItem
from rayapp.redrec.online.learner_state import LogRow
from rayapp.redrec.online.online_model import OnlineModel
from rayapp.redrec.online.prequential import ranks_among
from rayapp.redrec.online.settings import OnlineSettings

MISSED = 2**30  # the rank of an item without an earlier event, which no arm can know


class Settings(NamedTuple):
    """`arms` maps a name to its interval in ms (None: frozen, 0: continuous); half-life and window in ms."""

    arms: dict[str, int | None]
    start_ms: int
    half_life_ms: float
    baseline_ms: int


class PrequentialRun:
    """The production learner (same memory, loss and steps) without a broker; popularity is an additive term."""

    def __init__(self, model: OnlineModel, settings: Settings, no_text: np.ndarray) -> None:
        self.model = model
        self.settings = settings
        self.no_text = no_text
        self.arms: list[SyncArm] = []
        self.popularity = DecayedPopularity(settings.half_life_ms)
        self.recent = RecentPopularity(settings.baseline_ms)
        self.known = 0  # items at the start
        self.window = 0
        self.done = 0  # events
        self.ranks: list[np.ndarray] = []  # per event a row: arms, decayed popularity, recent popularity
        self.about: list[tuple[int, str, bool, bool]] = []  # time, user, item known at the start, user's first event

    def warm(self, events: list[Event]) -> None:
        """Initialise popularity from events that the model's memory already contains."""
        self.popularity.grow(len(self.model.items.ids))
        for event in events:
            row = self.model.items.rows.get(event.item_id or "")
            if row is not None:
                self.popularity.add(np.array([row]), event.timestamp_ms)
                self.recent.add(row, event.timestamp_ms)

    def _start(self) -> None:
        """Start all arms with the current parameters."""
        settings, self.known = self.settings, len(self.model.items.ids)
        self.arms = [SyncArm(name, every, settings.start_ms, self.model) for name, every in settings.arms.items()]

    def advance(self, events: list[Event]) -> float:
        """Evaluate (from the start on), then learn from one window of events in time order; the loss."""
        now = events[0].timestamp_ms
        model = self.model
        if not self.arms and now >= self.settings.start_ms:
            self._start()
        for arm in self.arms:
            arm.sync(model, now)
        met = len(model.items.ids)
        examples, _ = model.advance([LogRow(event, event.timestamp_ms) for event in events])
        examples = [e for e in examples if e.positive]
        base = self.no_text.tobytes()
        missing = dict.fromkeys(i for e in examples for i in e.item_ids if i not in model.items.rows)
        model.items.add([NewItem(i, None, base, False) for i in missing])
        self.popularity.grow(len(model.items.ids))
        window = model.prepare(examples)
        bias = self.popularity.log()
        positives = window.positives
        rows = np.array([p.rows[0] for p in positives])
        ranks = np.empty((len(positives), len(self.arms) + 2), dtype=np.int64)
        for n, arm in enumerate(self.arms):
            table = arm.table(model)
            ranks[:, n] = ranks_among(arm.user, arm.view(positives, table, model), table, bias)
        ranks[:, -2] = (bias[None] >= bias[rows][:, None]).sum(1)
        ranks[rows >= met, :-1] = MISSED
        times = [e.timestamp_ms for e in events if e.is_positive]
        for n, (row, at) in enumerate(zip(rows.tolist(), times, strict=True)):
            ranks[n, -1] = self.recent.rank(row, at)
            self.recent.add(row, at)
        if self.arms:
            self.ranks.append(ranks)
            self.about += [
                (at, p.example.user_id, row < self.known, not p.example.history)
                for p, row, at in zip(positives, rows.tolist(), times, strict=True)
            ]
        self.window += 1
        loss = model.learn(window, self.window, bias)
        self.popularity.add(rows, events[-1].timestamp_ms)
        self.done += len(events)
        return loss

    def save(self, folder: Path) -> None:
        """Write the whole state for `load`; the folder is replaced atomically."""
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.model.save(partial)
        state = {
            "arms": [arm.state() for arm in self.arms],
            "popularity": (self.popularity.counts, self.popularity.at_ms),
            "recent": (self.recent.events, self.recent.counts),
            "known": self.known,
            "window": self.window,
            "done": self.done,
            "ranks": np.concatenate(self.ranks) if self.ranks else None,
            "about": self.about,
        }
        torch.save(state, partial / "run.pt")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)

    @classmethod
    def load(
        cls,
        folder: Path,
        description: dict[str, object],
        space: ItemSpace,
        *,
        learner: OnlineSettings,
        settings: Settings,
        no_text: np.ndarray,
    ) -> PrequentialRun:
        run = cls(OnlineModel.load(folder, description, space, settings=learner), settings, no_text)
        state = torch.load(folder / "run.pt", weights_only=False)
        if state["arms"]:
            run._start()
        for arm, saved in zip(run.arms, state["arms"], strict=True):
            arm.restore(saved)
        run.popularity.counts, run.popularity.at_ms = state["popularity"]
        run.recent.events, run.recent.counts = state["recent"]
        run.known, run.window, run.done = state["known"], state["window"], state["done"]
        run.ranks = [state["ranks"]] if state["ranks"] is not None else []
        run.about = state["about"]
        return run
