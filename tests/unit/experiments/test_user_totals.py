"""Feedback counts for the arm whose answer it follows, once, and for nobody else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rayapp.domain import Action, Event
from rayapp.experiments.experiment import Arm, Experiment
from rayapp.experiments.metric import Mean, Ratio
from rayapp.experiments.user_totals import UserTotals
from rayapp.exposure import ExposedItem, Exposure

METRICS = (Ratio("ctr", "click", "impression"), Mean("likes", "like"), Ratio("page", "clicked_answers", "answers"))
TWO = Experiment("x", "feed", (Arm("control", 0.5), Arm("new", 0.5)), scenarios=("homefeed",), metrics=METRICS)


def answer(request: str, user: str, arm: str | None, *, at: int = 1000, scenario: str = "homefeed") -> Exposure:
    return Exposure(
        request_id=request,
        user_id=user,
        scenario=scenario,
        items=tuple(ExposedItem(item, n, 1.0, 1.0, "redrec") for n, item in enumerate(("i1", "i2"))),
        model_version="1",
        index_version="s1",
        experiments={"x": arm} if arm else {},
        latency_ms=12.5,
        at_ms=at,
    )


def event(
    request: str | None,
    user: str,
    action: str,
    *,
    at: int = 1001,
    scenario: str = "homefeed",
    item: str | None = None,
) -> Event:
    return Event("e", user, scenario, Action(action), at, at, item_id=item, request_id=request)


@pytest.fixture
def totals() -> UserTotals:
    return UserTotals(TWO, start_ms=1000, end_ms=2000)


def row(totals: UserTotals, user: str) -> dict[str, Any]:
    table = totals.table()
    (cells,) = table[table["user_id"] == user].to_dict("records")
    return cells


def test_counts_a_user(totals: UserTotals) -> None:
    totals.expose(answer("r1", "ann", "new"))
    totals.expose(answer("r2", "ann", "new", at=1500))
    totals.expose(answer("r3", "bob", "control"))
    for action in ("impression", "impression", "click", "click", "like"):
        totals.act(event("r1", "ann", action))
    totals.act(event("r2", "ann", "impression"))
    found = row(totals, "ann")
    assert {k: found[k] for k in ("arm", "click", "impression", "like", "clicked_answers", "answers")} == {
        "arm": "new", "click": 2, "impression": 3, "like": 1, "clicked_answers": 1, "answers": 2
    }  # fmt: skip
    assert row(totals, "bob")["click"] == 0, "a user without feedback is a user all the same"
    assert {arm: len(held) for arm, held in totals.latencies.items()} == {"control": 1, "new": 2}
    assert totals.latencies["new"].quantile(0.5) == pytest.approx(12.5, rel=0.01)


def test_what_counts_for_nobody(totals: UserTotals) -> None:
    totals.expose(answer("r1", "ann", "new"))
    totals.expose(answer("r1", "ann", "new"))  # sent twice
    totals.expose(answer("r2", "cat", None))
    totals.expose(answer("r3", "cat", "gone"))
    totals.expose(answer("r4", "cat", "new", at=999))
    totals.expose(answer("r5", "cat", "new", at=2000))
    totals.expose(answer("r6", "cat", "new", scenario="ads"))
    totals.act(event("r1", "bob", "click"))  # another user's answer
    totals.act(event(None, "ann", "click"))
    totals.act(event("r1", "ann", "click", at=2000))
    assert list(totals.table()["user_id"]) == ["ann"]
    assert row(totals, "ann")["click"] == 0
    assert row(totals, "ann")["answers"] == 1


def test_feedback_may_be_read_before_its_answer(totals: UserTotals) -> None:
    totals.act(event("r1", "ann", "click"))
    totals.expose(answer("r1", "ann", "new"))
    assert row(totals, "ann")["click"] == 1


def test_what_was_before_is_a_covariate_of_the_same_scenarios(totals: UserTotals) -> None:
    totals.act(event(None, "ann", "click", at=500))
    totals.act(event("old", "ann", "click", at=600))
    totals.act(event("old", "ann", "click", at=600, scenario="search"))
    totals.expose(answer("r1", "ann", "new"))
    assert row(totals, "ann")["pre_click"] == 2
    assert row(totals, "ann")["click"] == 0


def test_a_user_of_two_arms_is_left_out(totals: UserTotals) -> None:
    totals.expose(answer("r1", "ann", "new"))
    totals.expose(answer("r2", "ann", "control"))
    assert totals.moved == {"ann"}
    assert not len(totals.table())


def test_a_forgotten_user_begins_anew(totals: UserTotals) -> None:
    totals.act(event(None, "ann", "click", at=500))
    totals.expose(answer("r1", "ann", "new"))
    totals.act(event("r1", "ann", "click"))
    totals.forget("ann")
    totals.forget("nobody")
    assert not len(totals.table())
    totals.act(event("r1", "ann", "click"))
    totals.expose(answer("r2", "ann", "new"))
    assert (row(totals, "ann")["click"], row(totals, "ann")["pre_click"], row(totals, "ann")["answers"]) == (0, 0, 1)


def test_feedback_waits_for_its_answer_for_a_while_and_not_for_a_forgotten_user(totals: UserTotals) -> None:
    for request, user, at in (("r1", "ann", 1100), ("r2", "bob", 1500), ("r3", "cat", 1500)):
        totals.act(event(request, user, "click", at=at))
    totals.give_up(1200)
    totals.forget("cat")
    for request, user in (("r1", "ann"), ("r2", "bob"), ("r3", "cat")):
        totals.expose(answer(request, user, "new"))
    assert [row(totals, user)["click"] for user in ("ann", "bob", "cat")] == [0, 1, 0]


def test_of_events_that_wait_for_one_answer_only_the_forgotten_users_go(totals: UserTotals) -> None:
    for user in ("ann", "bob"):
        totals.act(event("r1", user, "click"))
    totals.forget("bob")
    assert {waiting.user_id for events in totals._waiting.values() for waiting in events} == {"ann"}


def test_a_click_in_an_interleaved_answer_is_one_for_the_ranker_that_put_it_there(totals: UserTotals) -> None:
    plain = answer("r1", "ann", "new")
    teams = tuple(msgspec.structs.replace(item, team=1 - n) for n, item in enumerate(plain.items))
    mixed = msgspec.structs.replace(plain, items=teams)
    totals.act(event("r1", "ann", "click", item="i1"))  # before its answer is read
    totals.expose(mixed)
    for action, item in (("click", "i2"), ("click", "i1"), ("like", "i2"), ("click", "elsewhere")):
        totals.act(event("r1", "ann", action, item=item))
    totals.expose(answer("r2", "bob", "new"))
    totals.act(event("r2", "bob", "click", item="i1"))
    assert totals.drafts == {"new": {"ann": [1, 0, 1]}}
    totals.forget("ann")
    assert totals.drafts == {"new": {}}


def test_an_answer_is_held_for_a_day_and_no_longer() -> None:
    day = 24 * 3_600_000
    totals = UserTotals(TWO, start_ms=0)
    totals.expose(answer("old", "ann", "new", at=1000))
    totals.give_up(day // 2)
    totals.act(event("old", "ann", "click", at=day // 2))
    assert row(totals, "ann")["click"] == 1
    totals.give_up(3 * day)
    totals.act(event("old", "ann", "click", at=3 * day))
    assert row(totals, "ann")["click"] == 1, "a click a day later follows from nothing"
    assert not len(totals._answers)
