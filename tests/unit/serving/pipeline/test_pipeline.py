"""Requests go on while verdicts take notes out of the catalogue and put them back."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import numpy as np

from rayapp.config import Config
from rayapp.domain import Decision, Item, Verdict
from rayapp.serving.live.catalogue import LiveCatalogue
from rayapp.serving.pipeline.answer import Ask
from rayapp.serving.pipeline.pipeline import Hydrated, Pipeline
from rayapp.stores.valkey.items import StoredItem

CONTENT = np.ones(4, dtype=np.float32)
IDS = [f"n{n}" for n in range(300)]


def stored(decision: Decision) -> list[StoredItem]:
    return [
        StoredItem(i, Item(item_id=i, title=i, tags=("a",)), CONTENT, Verdict(i, decision, "judged", 1)) for i in IDS
    ]


class Reader:
    async def popular(self, _scenario: str, _count: int) -> list[tuple[str, float]]:
        return [(i, 1.0) for i in IDS]


async def test_a_start_page_survives_notes_that_are_blocked_meanwhile() -> None:
    live = LiveCatalogue(reader=None)  # type: ignore[arg-type]  # changes are applied by hand
    live.apply(stored(Decision.ALLOW))
    served = SimpleNamespace(model_version="1", index_version="1")
    engine = SimpleNamespace(served=lambda _variant: served, catalogue_of=lambda _moderation: live)
    parts = (None, None, engine, Reader(), None, None, None, None, None)
    pipeline = Pipeline(Config(), *parts)  # type: ignore[arg-type]
    stop = threading.Event()

    def verdicts() -> None:
        while not stop.is_set():
            live.apply(stored(Decision.BLOCK))
            live.apply(stored(Decision.ALLOW))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=verdicts)
    thread.start()
    try:
        for _ in range(60):
            answer = await pipeline.start(Ask("feed", "u", "homefeed", "note", 20), Hydrated([], frozenset(), "c"))
            assert len(answer.slots) <= 20
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
