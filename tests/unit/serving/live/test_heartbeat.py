from __future__ import annotations

import pytest

from rayapp.serving.live import heartbeat
from rayapp.serving.live.heartbeat import Heartbeat


def test_silence_is_a_problem_and_a_beat_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now)
    followed = Heartbeat("the catalogue", silent_s=60)
    now += 1000
    assert followed.problem() == "", "what was never followed has not stopped"
    followed.beat()
    now += 60
    assert followed.problem() == ""
    now += 1
    assert followed.problem() == "the catalogue has not been followed for 61 s"
    followed.beat()
    assert followed.problem() == ""
