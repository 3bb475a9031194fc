"""Two rankers' answers in one list, and what the log says of it."""

from __future__ import annotations

import numpy as np

from rayapp.experiments.arm_params import ArmParams, RankerParams
from rayapp.experiments.assignments import Assigned
from rayapp.ranking.slate import Candidate, Slot
from rayapp.serving.live.variant import Variant
from rayapp.serving.pipeline.answer import Answer, Ask, drafted, exposure

PARAMS = ArmParams(history="all", interleave=RankerParams(model="redrec@candidate"))
ASK = Ask("feed", "u", "homefeed", "note", 4, assigned=Assigned({"x": "mixed"}, PARAMS))


def answer(version: str, *ids: str) -> Answer:
    return Answer([Slot(Candidate(i, 1.0, "redrec"), 1.0) for i in ids], version, "s1", False)


def test_an_interleaved_answer_says_who_put_what_where() -> None:
    mixed = drafted(answer("3", "a", "b", "c", "d"), answer("other@1", "c", "d", "e", "f"), 4, np.random.default_rng(0))
    assert mixed.model_version == "3|other@1"
    record = exposure(ASK, mixed, "r", 1.0)
    teams = {item["item_id"]: item["team"] for item in record["items"]}
    assert sorted(teams.values()) == [0, 0, 1, 1]
    assert teams["a"] == 0
    assert not mixed.exhausted
    assert "team" not in exposure(ASK, answer("3", "a"), "r", 1.0)["items"][0]


def test_the_same_model_twice_is_named_once_and_a_short_list_is_exhausted() -> None:
    mixed = drafted(answer("3", "a", "b"), answer("3", "b", "a"), 4, np.random.default_rng(0))
    assert (mixed.model_version, mixed.exhausted, len(mixed.slots)) == ("3", True, 2)


def test_the_other_ranker_differs_in_what_it_says_alone() -> None:
    second = ASK.with_params(PARAMS.second())
    assert second.variant == Variant("redrec@candidate")
    assert (second.params.history, second.params.interleave) == ("all", None)
    assert second.assigned.arms == {"x": "mixed"}
    assert Variant.all_of(PARAMS) == (Variant(), Variant("redrec@candidate"))
