"""A note that cannot be judged leaves the queue, whatever becomes of its verdict."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from rayapp.metrics import Metrics
from rayapp.moderation.judge import Note
from rayapp.moderation.note_worker import NoteWorker, WaitingNote
from rayapp.stores.ports import StoreRefused
from rayapp.stores.records import Queued, Urgency


def test_a_note_whose_verdict_is_never_taken_stops_no_other() -> None:
    store: Any = Mock()
    log: Any = Mock()
    log.append.side_effect = StoreRefused("scripted")
    worker = NoteWorker(store, log, Mock(), Metrics(), scenarios=("homefeed",), batch=8)
    entry = WaitingNote(Queued("one", b"1", Urgency.NOW), Note("one", "text"), None)
    with pytest.raises(StoreRefused):
        worker.give_up(entry, ValueError("cannot be judged"))
    store.moderation_queue().drop.assert_called_once_with("one")
