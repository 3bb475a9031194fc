"""Two rankers' answers in one list, and what the log says of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from rayapp.domain import Kind
from rayapp.experiments.arm_params import ArmParams, RankerParams
from rayapp.experiments.assignments import Assigned
from rayapp.ranking.slate import Candidate, Slot
from rayapp.serving.live.variant import Variant
from rayapp.serving.pipeline.answer import Answer, drafted, exposure_of
from rayapp.serving.pipeline.request import Ask, Request

PARAMS = ArmParams(history="all", interleave=RankerParams(model="redrec@candidate"))
ASK = Ask("u", "homefeed", Kind.NOTE, 4, assigned=Assigned({"x": "mixed"}, PARAMS))
REQUEST = Request("r", ASK, SimpleNamespace())  # type: ignore[arg-type]  # nothing here asks for the scene


def answer(version: str, *ids: str) -> Answer:
    return Answer(REQUEST, [Slot(Candidate(i, 1.0, "redrec"), 1.0) for i in ids], version, "s1")


def test_an_interleaved_answer_says_who_put_what_where() -> None:
    mixed = drafted(answer("3", "a", "b", "c", "d"), answer("other@1", "c", "d", "e", "f"), np.random.default_rng(0))
    assert mixed.model_version == "3|other@1"
    exposure = exposure_of(mixed, 1.0)
    teams = {item.item_id: item.team for item in exposure.items}
    assert sorted(team for team in teams.values() if team is not None) == [0, 0, 1, 1]
    assert teams["a"] == 0
    assert not mixed.exhausted
    assert exposure.experiments == {"x": "mixed"}
    assert exposure_of(answer("3", "a"), 1.0).items[0].team is None


def test_the_same_model_twice_is_named_once_and_a_short_list_is_exhausted() -> None:
    mixed = drafted(answer("3", "a", "b"), answer("3", "b", "a"), np.random.default_rng(0))
    assert (mixed.model_version, mixed.exhausted, len(mixed.slots)) == ("3", True, 2)


def test_the_other_ranker_differs_only_in_what_it_names() -> None:
    second = ASK.with_params(PARAMS.second())
    assert second.variant == Variant("redrec@candidate")
    assert (second.params.history, second.params.interleave) == ("all", None)
    assert second.assigned.arms == {"x": "mixed"}
    assert Variant.all_of(PARAMS) == (Variant(), Variant("redrec@candidate"))
