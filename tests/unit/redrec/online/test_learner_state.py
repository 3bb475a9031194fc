from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rayapp.domain import Action, Event, Forget
from rayapp.redrec.online.learner_state import DAY_MS, LearnerState, LogRow


def event(n: int, user: str = "u", item: str = "i", action: Action = Action.CLICK, scenario: str = "homefeed") -> Event:
    return Event(f"e{n}", user, scenario, action, timestamp_ms=1000 * n, received_ms=1000 * n, item_id=item)


rows = st.lists(
    st.one_of(
        st.builds(
            lambda n, u, i, a, p: LogRow(event(n, u, i, a), 10_000 * n, p),
            st.integers(0, 30),
            st.sampled_from("uvw"),
            st.sampled_from("abcd"),
            st.sampled_from([Action.CLICK, Action.LIKE, Action.IMPRESSION, Action.HIDE]),
            st.sampled_from([0, 1]),
        ),
        st.builds(lambda u, t: LogRow(Forget(True, u, t), t), st.sampled_from("uvw"), st.integers(0, 30_000)),
    ),
    max_size=40,
)


def test_an_example_sees_only_what_came_before_it() -> None:
    state = LearnerState(length=10)
    state.advance([LogRow(event(1, item="a"), 1)])
    examples, counted = state.advance([LogRow(event(2, item="b"), 2), LogRow(event(3, item="c"), 3)])
    assert counted == 2
    assert [[b.item_id for b in e.history] for e in examples] == [["a"], ["a", "b"]]
    assert [e.item_ids for e in examples] == [["b"], ["c"]]


def test_duplicates_count_once_within_a_day_and_again_after_it() -> None:
    state = LearnerState(length=10)
    assert state.advance([LogRow(event(1), 1)])[1] == 1
    assert state.advance([LogRow(event(1), DAY_MS)])[1] == 0
    assert state.advance([LogRow(event(1), 2 * DAY_MS)])[1] == 1


def test_forgetting_drops_what_came_before() -> None:
    state = LearnerState(length=10)
    examples, _ = state.advance(
        [LogRow(event(1, item="a"), 1), LogRow(Forget(True, "u", 2), 2), LogRow(event(3, item="c"), 3)]
    )
    assert [(e.item_ids, e.history) for e in examples] == [(["c"], [])]
    assert [b.item_id for b in state.history("u")] == ["c"]


def test_histories_keep_the_newest_of_every_scenario() -> None:
    state = LearnerState(length=2)
    state.advance([LogRow(event(n, item=str(n), scenario=s), n) for n, s in enumerate(["search", *["homefeed"] * 5])])
    assert [b.item_id for b in state.history("u")] == ["0", "4", "5"]


@given(rows, st.integers(0, 40))
def test_a_crash_between_windows_changes_nothing(tmp_path_factory, log: list, cut: int) -> None:  # type: ignore[no-untyped-def]
    whole = LearnerState(length=5)
    first, second = log[:cut], log[cut:]
    expected = [whole.advance(first), whole.advance(second)]
    begun = LearnerState(length=5)
    again = [begun.advance(first)]
    folder = tmp_path_factory.mktemp("state", numbered=True)
    begun.save(folder)
    restored = LearnerState.load(Path(folder), length=5)
    again.append(restored.advance(second))
    assert again == expected
    assert {u: restored.history(u) for u in "uvw"} == {u: whole.history(u) for u in "uvw"}
    assert restored.recent_ids.buckets == whole.recent_ids.buckets
    assert restored.applied == whole.applied
    assert restored.joiner.__dict__ == whole.joiner.__dict__
