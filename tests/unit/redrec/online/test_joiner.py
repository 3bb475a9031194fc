from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rayapp.redrec.online.joiner import Impression, Joiner, Key

K = Key("u", "r", "i")


def shown(joiner: Joiner, at: int, key: Key = K, partition: int = 0) -> None:
    joiner.tick(partition, at)
    joiner.impression(key, Impression(at, partition, "homefeed", 0))


def acted(joiner: Joiner, at: int, key: Key = K, partition: int = 0) -> None:
    joiner.tick(partition, at)
    joiner.feedback(key, at, partition)


def test_an_impression_with_feedback_in_time_is_no_negative() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0)
    acted(joiner, 60)
    joiner.tick(0, 1000)
    assert joiner.close() == []
    assert joiner.counts.joined == 1


def test_feedback_may_come_before_its_impression() -> None:
    joiner = Joiner(late_ms=60)
    acted(joiner, 0)
    shown(joiner, 10)
    joiner.tick(0, 1000)
    assert joiner.close() == []


def test_an_impression_left_alone_becomes_a_negative_once_when_its_time_is_up() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0)
    joiner.tick(0, 60)
    assert joiner.close() == []
    joiner.tick(0, 61)
    assert [key for key, _ in joiner.close()] == [K]
    joiner.tick(0, 500)
    assert joiner.close() == []


def test_feedback_after_that_is_a_late_label_counted_once() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0)
    joiner.tick(0, 61)
    joiner.close()
    acted(joiner, 100)
    acted(joiner, 110)
    assert (joiner.counts.closed, joiner.counts.late_labels, joiner.counts.joined) == (1, 1, 0)


def test_another_request_or_item_is_another_impression() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0)
    acted(joiner, 1, K._replace(request_id="other"))
    acted(joiner, 1, K._replace(item_id="other"))
    joiner.tick(0, 61)
    assert len(joiner.close()) == 1


def test_a_partition_that_lags_keeps_its_impressions_until_it_has_been_read() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0, partition=0)
    joiner.tick(1, 10_000)
    assert joiner.close() == []  # partition 0 may still hold the feedback
    assert len(joiner.close(drained=(0,))) == 1


def test_a_forgotten_user_leaves_nothing() -> None:
    joiner = Joiner(late_ms=60)
    shown(joiner, 0)
    shown(joiner, 0, K._replace(user_id="v"))
    acted(joiner, 0, K._replace(item_id="j"))
    joiner.forget("u")
    joiner.tick(0, 61)
    assert [key.user_id for key, _ in joiner.close()] == ["v"]
    assert all(key.user_id == "v" for table in (joiner.open, joiner.labelled, joiner.closed) for key in table)


steps = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 50)), min_size=1, max_size=60
)


@given(steps, st.integers(2, 60))
def test_every_impression_ends_joined_or_closed_whatever_the_windows(log: list, size: int) -> None:
    """The same log cut into windows of any size gives the same negatives."""
    ends = []
    for cut in (1, size):
        joiner, at, closed, known = Joiner(late_ms=60), 0, [], set()
        for n in range(0, len(log), cut):
            for impression, user, item, later in log[n : n + cut]:
                at += later
                key = Key(f"u{user}", "r", item)
                if not impression:
                    acted(joiner, at, key)
                elif key not in known:
                    known.add(key)
                    shown(joiner, at, key)
            closed += [key for key, _ in joiner.close()]
        joiner.tick(0, at + 10_000)
        closed += [key for key, _ in joiner.close()]
        assert joiner.open == {}
        assert joiner.counts.impressions == joiner.counts.joined + joiner.counts.closed == len(known)
        ends.append(sorted(closed))
    assert ends[0] == ends[1]
