from __future__ import annotations

from rayapp.cli.machine.control import MAX_WAIT_S, Backoff


def test_waits_grow_to_a_bound_and_start_again_after_a_healthy_minute() -> None:
    backoff, now, waits = Backoff(), 0.0, []
    for _ in range(8):
        backoff.begin(now)
        now += 1
        backoff.failed(now)
        waits.append(backoff.not_before - now)
        assert not backoff.ready(now)
        now = backoff.not_before
        assert backoff.ready(now)
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT_S, MAX_WAIT_S]
    assert backoff.restarts == 7
    backoff.begin(now)
    backoff.failed(now + 61)
    assert backoff.not_before == now + 62
