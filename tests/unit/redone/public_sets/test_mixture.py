"""Every public set as examples: splits apart, the same every time, answers among the options."""

from __future__ import annotations

import pytest

from rayapp.redone.public_sets.entities import spans
from rayapp.redone.public_sets.mixture import CHINESE, ENGLISH, examples
from rayapp.redone.public_sets.rows import PublicSetError
from rayapp.redone.tasks.registry import task_of
from tests.conftest import DATA

SNS = DATA / "sns"


@pytest.mark.data
@pytest.mark.skipif(not SNS.is_dir(), reason=f"{SNS} is not there")
@pytest.mark.parametrize("name", [*ENGLISH, *CHINESE])
def test_a_set(name: str) -> None:
    tests, train = examples(SNS, name, "test", 120), examples(SNS, name, "train", 400)
    assert 80 <= len(tests) <= 120
    assert examples(SNS, name, "test", 30) == tests[:30]
    assert examples(SNS, name, "dev", 50)
    assert not {e.question for e in tests} & {e.question for e in train}
    for example in (*tests, *train):
        assert not example.options or example.answer in example.options
        assert example.question.startswith(example.instruction)
        assert example.answer.strip()
    for task_name in {e.task for e in tests}:
        task = task_of(task_name)
        own = [e for e in tests if e.task == task_name]
        assert task.score([task.judge(e.answer, e) for e in own]) > 99.9
        assert task.score([task.judge(a, e) for a, e in zip(task.trivial(train, own), own, strict=True)]) < 90


def test_entities_of_bio_tags() -> None:
    tokens = ["Ann", "Lee", "of", "New", "York", "Ann"]
    assert spans(tokens, ["B-person", "I-person", "O", "B-location", "I-location", "I-person"]) == [
        ("person", "Ann Lee"),
        ("location", "New York"),
        ("person", "Ann"),
    ]


def test_a_folder_without_the_sets(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PublicSetError, match="tweeteval/emotion.parquet is not there"):
        examples(tmp_path, "emotion", "train")
