"""The online model: user side, optimiser, histories, open impressions, reservoir and frequencies.

Free of Kafka and Ray: rows of the log in, updates of the user side out, and a
folder from which training resumes bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import torch

from rayapp.domain import Event, Forget
from rayapp.redrec.model.artifact import ItemSpace, load_user_side, save_user_side
from rayapp.redrec.model.redrec import UserSide
from rayapp.redrec.online.frequency import Frequency
from rayapp.redrec.online.item_vectors import ItemVectors
from rayapp.redrec.online.learner_state import DAY_MS, JoinedExample, LearnerState, LogRow
from rayapp.redrec.online.reservoir import Reservoir
from rayapp.redrec.online.settings import OnlineSettings
from rayapp.redrec.online.trainer import OnlineTrainer
from rayapp.redrec.online.window import Window, prepare


class Memory(NamedTuple):
    """What a learner remembers besides weights and optimiser."""

    state: LearnerState
    reservoir: Reservoir
    frequency: Frequency


class OnlineModel:
    """One worker's copy; all `world` workers hold the same state and share each step."""

    def __init__(
        self,
        user: UserSide,
        items: ItemVectors,
        settings: OnlineSettings,
        memory: Memory,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.user = user
        self.items = items
        self.settings = settings
        self.state, self.reservoir, self.frequency = memory
        self.trainer = OnlineTrainer(user, settings, rank, world)

    def advance(
        self, rows: list[LogRow], drained: tuple[int, ...] = (), share: float = 1.0
    ) -> tuple[list[JoinedExample], int]:
        """Apply these rows to the memory: (training examples, number of events counted).

        Only `share` of the impressions without feedback is used.
        """
        examples, counted = self.state.advance(rows, drained)
        for record in (row.record for row in rows):
            if isinstance(record, Forget):
                self.reservoir.forget(record.user_id)
        return [e for e in examples if e.positive or _kept(e, share)], counted

    def prepare(self, examples: list[JoinedExample], share: float = 1.0) -> Window:
        """The window of these examples; their items must have been added."""
        return prepare(examples, self.items, self.user, 1 / share)

    def learn(self, window: Window, number: int, bias: np.ndarray | None = None) -> float:
        """The gradient steps of window `number`; mean loss of its positives."""
        targets = [self.items.ids[p.rows[0]] for p in window.positives]
        self.frequency.add(targets)
        count = round(len(targets) * self.settings.replay)
        older = prepare(self.reservoir.draw(count, number), self.items, self.user).positives
        loss = self.trainer.learn(window, older, items=self.items, frequency=self.frequency, number=number, bias=bias)
        self.reservoir.add([partial(_itself, p.example) for p in window.positives], number)
        return loss

    def finite(self) -> bool:
        return all(bool(torch.isfinite(p).all()) for p in self.user.parameters())

    def save(self, folder: Path) -> None:
        save_user_side(folder, self.user)
        torch.save(self.trainer.state(), folder / "optimiser.pt")
        self.items.save(folder)
        save_memory(folder, Memory(self.state, self.reservoir, self.frequency))

    @classmethod
    def load(
        cls,
        folder: Path,
        description: dict[str, object],
        space: ItemSpace,
        *,
        settings: OnlineSettings,
        dedupe_ms: int = DAY_MS,
        rank: int = 0,
        world: int = 1,
        weights: Path | None = None,
    ) -> OnlineModel:
        """Load what `save` wrote; with `weights`, the user side of that folder and a new optimiser."""
        user = load_user_side(weights or folder, description)
        length = user.config.length
        model = cls(
            user,
            ItemVectors.load(space, folder, settings.id_embeddings == "all"),
            settings,
            Memory(
                LearnerState.load(folder, length, dedupe_ms, int(settings.late_s * 1000)),
                Reservoir.load(folder, settings.reservoir, length, settings.seed),
                Frequency.load(folder, settings.frequency_half_life),
            ),
            rank=rank,
            world=world,
        )
        if weights is None and (folder / "optimiser.pt").is_file():
            model.trainer.restore(torch.load(folder / "optimiser.pt", weights_only=True))
        return model


# What a version remembers of users: only the newest ones need it, and a user who is forgotten must be in no other.
USER_FILES = ("histories.parquet", "event_ids.parquet", "marks.msgpack", "joiner.msgpack", "reservoir.parquet")


def save_memory(folder: Path, memory: Memory) -> None:
    """Write each part's file into the folder."""
    for part in memory:
        part.save(folder)


def memory_of(events: Iterable[Event], length: int, settings: OnlineSettings) -> Memory:
    """The memory after these events (in time order), for a model that was trained offline."""
    state = LearnerState(length)
    reservoir, frequency = Reservoir(settings.reservoir, length, settings.seed), Frequency(settings.frequency_half_life)
    targets: list[str] = []

    def offers() -> Iterator[Callable[[], JoinedExample]]:
        for event in events:
            if event.is_positive and event.item_id is not None:
                targets.append(event.item_id)
                yield partial(_positive, state, event)
            state.remember(event)

    reservoir.add(offers(), 0)
    frequency.add(targets)
    return Memory(state, reservoir, frequency)


def _itself(example: JoinedExample) -> JoinedExample:
    return example


def _positive(state: LearnerState, event: Event) -> JoinedExample:
    return JoinedExample(event.user_id, state.history(event.user_id), event.scenario, [event.item_id or ""], True)


def _kept(example: JoinedExample, share: float) -> bool:
    """A deterministic draw per answer."""
    return share >= 1.0 or crc32(msgspec.json.encode((example.user_id, example.item_ids))) < share * 2**32
