"""Instructions with a form: no answer, but a check that a right answer passes; apart by split, the same every time."""

from __future__ import annotations

import pytest

from rayapp.redone.public_sets.mixture import examples
from rayapp.redone.tasks.form import FORMS, Form
from tests.conftest import DATA

SNS = DATA / "sns"


@pytest.mark.data
@pytest.mark.skipif(not SNS.is_dir(), reason=f"{SNS} is not there")
def test_forms_of_every_kind() -> None:
    tests, train = examples(SNS, "forms", "test"), examples(SNS, "forms", "train")
    assert len(tests) == 792
    assert {e.query.partition(":")[0] for e in tests} == set(FORMS)
    assert not {e.note for e in tests} & {e.note for e in train}
    assert examples(SNS, "forms", "train", 40) == train[:40]
    assert len({e.query.partition(":")[0] for e in train[:60]}) > 5  # the first ones are not all of one kind
    (two,) = [e for e in tests if e.query == "bullets:2"][:1]
    assert Form().reward("* one\n* two", two) == 1
    assert Form().reward("one, two", two) == 0
    assert not any(e.answer for e in tests)
