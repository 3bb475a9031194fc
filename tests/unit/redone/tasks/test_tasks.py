"""Every task: the reference answer is worth everything, nonsense little, and parsers take what models write."""

from __future__ import annotations

import pytest

from rayapp.redone.tasks import mrc
from rayapp.redone.tasks.chlw import chlw
from rayapp.redone.tasks.example import Example, ExampleError
from rayapp.redone.tasks.gender import gender
from rayapp.redone.tasks.hashtag import hashtag
from rayapp.redone.tasks.ner import ner
from rayapp.redone.tasks.query_corr import correlates, correlation
from rayapp.redone.tasks.query_gen import query_gen
from rayapp.redone.tasks.registry import SNS_FAMILIES, TASKS, UnknownTask, by_family, sns_average, task_of
from rayapp.redone.tasks.task import chosen
from rayapp.redone.tasks.taxonomy import taxonomy, taxonomy_path
from rayapp.redone.tasks.translation import translation

NOTE = "Trams in Lisbon are old. Bring coins! The castle is free on Sundays."
EXAMPLES = [
    taxonomy(NOTE, ["travel", "food"], "travel", about="the topic", source="x"),
    taxonomy(NOTE, ["travel", "food"], "food", about="the topic", source="x"),
    taxonomy_path(NOTE, [("a", "b", "c"), ("a", "d", "e")], ("a", "d", "e"), "x"),
    hashtag(NOTE, ["lisbon", "paris"], ["lisbon"], "x"),
    hashtag(NOTE, ["rome", "lisbon", "paris", "trams"], ["trams", "lisbon"], "x"),
    correlates("Lisbon trams", NOTE, True, "x"),
    correlates("python typing", NOTE, False, "x"),
    *(correlation("Lisbon trams", NOTE, grade, grades=(-1, 0, 1, 2, 3), source="x") for grade in (-1, 3, 1)),
    mrc.simple("When is the castle free?", NOTE, ["The castle is free on Sundays."], "x"),
    mrc.simple("Who wrote Faust?", NOTE, [], "x"),
    mrc.complex_(
        "When is it free?", NOTE, ["Monday", "Sundays"], reasons={1: "The castle is free on Sundays."}, source="x"
    ),
    mrc.complex_("Who wrote Faust?", NOTE, ["Goethe", "Kafka"], reasons={}, source="x"),
    ner(NOTE, "places", ["Lisbon"], "x"),
    ner(NOTE, "people", [], "x"),
    gender("lipstick", "women", True, "x"),
    chlw(NOTE, ["trams", "coins", "old"], ["coins"], "x"),
    chlw(NOTE, ["trams", "old"], [], "x"),
    query_gen(NOTE, "Lisbon trams", "x"),
    translation("Where is the tram to the old castle?", "去老城堡的电车在哪里？", "zh", "x"),
    translation("去老城堡的电车在哪里？", "Where is the tram to the old castle?", "en", "x"),
]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.family != "general"])
def test_references_are_worth_everything_and_noise_little(name: str) -> None:
    task, own = TASKS[name], [e for e in EXAMPLES if e.task == name]
    assert own
    perfect = task.score([task.judge(e.answer, e) for e in own])
    assert perfect == pytest.approx(100, abs=0.01)
    noise = task.score([task.judge("zzz qqq", e) for e in own])
    assert noise < 50
    for answers in (task.trivial([], own), task.lexical([], own), task.trivial(own, own), task.lexical(own, own)):
        assert len(answers) == len(own)
        assert all(answers)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("joy", "joy"),
        (" Joy.", "joy"),
        ("joy, because they laugh", "joy"),
        ("The answer is sadness", "sadness"),
        ("joy or sadness? sadness", "joy"),
        ("It could be joy or sadness", None),
        ("joyful", "joy"),
        ("fear", None),
    ],
)
def test_the_option_that_an_answer_names(said: str, found: str | None) -> None:
    assert chosen(said, ["joy", "sadness"]) == found


def test_grades_are_not_parts_of_each_other() -> None:
    grades = ["-1", "0", "1", "2", "3"]
    assert [chosen(f" {grade}\n", grades) for grade in grades] == grades
    assert chosen("-1 no match", grades) == "-1"
    assert chosen("Grade: -1", grades) == "-1"


def test_options_with_reasons() -> None:
    example = next(e for e in EXAMPLES if e.task == "mrc_complex" and e.answer != "[]")
    task = task_of("mrc_complex")
    assert task.judge("(B) because it says so", example)[2:] == (1.0, 1.0)
    assert task.judge("A: no\nB: yes", example)[2:] == (pytest.approx(2 / 3), 0.0)
    assert task.judge("I do not know", example) == (0.0, 0.0, 0.0, 0.0)
    assert task.lexical([], [example]) == ["B: The castle is free on Sundays."]


def test_a_classifier_is_the_baseline_where_options_are_always_the_same() -> None:
    train = [taxonomy(f"{word} {n}", ["good", "bad"], label, about="the tone", source="s")
             for n in range(40) for word, label in (("nice", "good"), ("awful", "bad"))]  # fmt: skip
    tests = [taxonomy("how nice", ["good", "bad"], "good", about="the tone", source="s"),
             taxonomy("awful day", ["good", "bad"], "bad", about="the tone", source="s")]  # fmt: skip
    assert TASKS["taxonomy_single"].lexical(train, tests) == ["good", "bad"]


@pytest.mark.parametrize(
    ("query", "kept", "broken"),
    [
        ("at most:10", "A short answer.", "one two three four five six seven eight nine ten eleven"),
        ("at least:3", "one two three", "one two"),
        ("has word:today", "Not Today, please", "not yesterday"),
        ("begins:however", "However, it rains", "It rains, however"),
        ("lower case:", "all small", "Not small"),
        ("bullets:2", "* one\n* two", "* one\n* two\n* three"),
        ("no commas:", "one and two", "one, two"),
        ("quoted:", '"all of it"', 'the "half"'),
    ],
)
def test_the_form_of_an_answer(query: str, kept: str, broken: str) -> None:
    task, example = TASKS["instruction_form"], Example("instruction_form", "q", "", query=query)
    assert task.score([task.judge(answer, example) for answer in (kept, broken, "")]) == pytest.approx(100 / 3)


def test_families_and_their_average() -> None:
    scores = dict.fromkeys(TASKS, 50.0)
    assert sns_average(scores) == 50.0
    assert set(by_family(scores)) == {*SNS_FAMILIES, "translation", "general"}
    assert by_family({"hashtag_single": 40.0, "hashtag_multiple": 20.0}) == {"hashtag": 30.0}
    assert sns_average({"ner": 1.0}) is None
    with pytest.raises(UnknownTask, match="task 'poetry' is unknown; use one of taxonomy_single"):
        task_of("poetry")


def test_examples_survive_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from rayapp.redone.tasks.example import read_examples, write_examples

    file = tmp_path / "a" / "examples.jsonl"
    write_examples(file, EXAMPLES)
    assert list(read_examples(file)) == EXAMPLES
    file.write_text('{"task": "ner", "question": "q", "answer": "a"}\n\n{"task": "ner"}\n')
    with pytest.raises(ExampleError, match="line 3: .*missing required field `question`"):
        list(read_examples(file))
    assert Example("ner", "q", "a") == Example(task="ner", question="q", answer="a")
