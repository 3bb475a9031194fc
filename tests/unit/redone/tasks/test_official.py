"""Benchmark files as they may lie in a folder, made here: none of the real ones is in this project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rayapp.redone.tasks.official import OfficialFileError, is_official, official_examples
from rayapp.redone.tasks.registry import task_of

FILES = {
    "Note-Taxonomy-Single.json": [
        {"instruction": "Which?", "input": "A note", "output": "food", "candidates": "food; travel"}
    ],
    "Note_Hashtag_Multiple.json": {"data": [{"prompt": "Tags of the note?", "answer": ["#a", "#b"]}]},
    "note-querycorr-explain.jsonl": [
        {"messages": [{"role": "user", "content": "Related?"}, {"role": "assistant", "content": "Yes"}]},
        {"messages": [{"role": "user", "content": "Related, this?"}, {"role": "assistant", "content": "No"}]},
    ],
    "NoteNER.json": [{"question": "People?", "answer": []}],
    "RedTrans-Bench.json": [
        {"en": "Good morning", "zh": "早上好", "source": "x", "src_lang": "en", "dst_lang": "zh"},
        {"en": "Good night", "zh": "晚安", "source": "x", "src_lang": "zh", "dst_lang": "en"},
    ],
    "notes.json": [{"about": "something else"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, records in FILES.items():
        lines = name.endswith("l")
        (tmp_path / name).write_text("\n".join(map(json.dumps, records)) if lines else json.dumps(records))
    return tmp_path


def test_every_file_is_of_its_task(folder: Path) -> None:
    found = {}
    for example in official_examples(folder):
        found.setdefault(example.task, []).append(example)
    assert set(found) == {
        "taxonomy_single", "hashtag_multiple", "query_corr_explain", "ner", "translation_en_zh", "translation_zh_en"
    }  # fmt: skip
    (taxonomy,) = found["taxonomy_single"]
    assert (taxonomy.question, taxonomy.answer, taxonomy.options) == ("Which?\nA note", "food", ("food", "travel"))
    assert found["hashtag_multiple"][0].answer == "#a; #b"
    assert [e.options for e in found["query_corr_explain"]] == [("No", "Yes")] * 2
    assert found["ner"][0].answer == "[]"
    assert found["translation_en_zh"][0].answer == "早上好"
    assert found["translation_zh_en"][0].note == "晚安"
    for name, examples in found.items():
        task = task_of(name)
        assert all(answer is not None for answer in task.lexical([], examples))
        if task.family != "translation":  # two words have no 4-grams
            assert task.score([task.judge(e.answer, e) for e in examples]) == pytest.approx(100)


def test_records_of_bare_data_are_asked_in_words_of_our_own(tmp_path: Path) -> None:
    (tmp_path / "Note-QueryCorr").mkdir()
    records = [
        {"id": 1, "query": "espresso", "note_title": "Coffee", "note_content": "Beans", "gold_label": 3},
        {"id": 2, "query": "tea", "note_title": "Cake", "note_content": "Flour", "gold_label": -1},
    ]
    (tmp_path / "Note-QueryCorr" / "topic.json").write_text(json.dumps(records))
    (tmp_path / "Note-Gender.json").write_text(json.dumps([{"prompt": "For women? A lipstick.", "answers": "Yes"}]))
    gender, first, second = sorted(official_examples(tmp_path), key=lambda e: (e.task, e.answer != "3"))
    assert (first.task, first.answer, second.answer) == ("query_corr_topic", "3", "-1")
    assert first.options == ("-1", "3")
    assert first.question.endswith("query: espresso\nnote_title: Coffee\nnote_content: Beans")
    assert first.question.startswith("Please score")
    assert "-1, 3" in first.question
    assert (gender.question, gender.answer) == ("For women? A lipstick.", "Yes")
    assert gender.note == gender.question, "what the lexical baseline reads"


def test_training_refuses_them() -> None:
    assert [name for name in FILES if is_official(name)] == [name for name in FILES if name != "notes.json"]
    assert is_official("data/SNS-Bench/all.json")
    assert not is_official("stackexchange.parquet")
    assert not is_official("notes_of_today.jsonl")


def test_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OfficialFileError, match="no file of SNS-Bench or RedTrans-Bench is there"):
        official_examples(tmp_path)
    (tmp_path / "Note-Gender.json").write_text('[{"id": 1, "title": "x"}]')
    with pytest.raises(
        OfficialFileError, match="record 1: no question or answer; it has id, title, known are instruction"
    ):
        official_examples(tmp_path)
    (tmp_path / "Note-Gender.json").write_text("[")
    with pytest.raises(OfficialFileError, match="not JSON"):
        official_examples(tmp_path)
