"""From a recipe to packed rows: what is drawn, what is learned of it, what is left out, and the budget."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from rayapp.redone.corpus.contamination import Contamination
from rayapp.redone.corpus.source import Source
from rayapp.redone.recipe import Recipe
from rayapp.redone.training.packing import IGNORED, PackedRow
from rayapp.redone.training.prepare import Preparation, Prepared

SOURCES = [
    Source("emotion", "task", weight=2),
    Source("EDOS, task A", "moderation", weight=2),
    Source("answers_query", "task"),
    Source("reranking", "relevance", "answers_query"),
]
REPEATED = "this very note with these words is in the test split of an evaluation set"


@pytest.fixture(scope="module")
def tokenizer(language_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(language_model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("sns")
    splits = ["train"] * 60 + ["dev"] * 10 + ["test"] * 10
    notes = [f"note {n} about the weather in town number {n}" for n in range(80)]
    notes[7] = REPEATED
    for file, columns in {
        "tweeteval/emotion.parquet": {"label": ["anger", "joy"] * 40},
        "moderation/edos.parquet": {"label_sexist": ["sexist", "not sexist", "not sexist", "not sexist"] * 20},
    }.items():
        (data / file).parent.mkdir()
        pq.write_table(pa.table({"text": notes, **columns, "split": splits}), data / file)
    titles = [f"how to fix machine {n}" for n in range(80)]
    phrases = [["machine"], ["repair"]] * 40
    (data / "keyphrase").mkdir()
    pq.write_table(
        pa.table({"title": titles, "body": notes, "keyphrases": phrases, "split": splits}),
        data / "keyphrase/stackexchange.parquet",
    )
    return data


def prepared(folder: Path, tokenizer: Any, tokens: int = 6000, **changes: Any) -> Prepared:
    recipe = Recipe("finetune", SOURCES, tokens=tokens, length=512, evaluate_rows=2, **changes)
    return Preparation(recipe, folder, tokenizer, known=Contamination([REPEATED])).run()


def learned(rows: list[PackedRow], tokenizer: Any) -> list[tuple[str, str]]:
    """(what a member shows with its prefix, what is learned of it)."""
    found = []
    for row in rows:
        for group in np.unique(row.groups):
            prefix = row.ids[(row.groups == group) & (row.members == 0)]
            for member in np.unique(row.members[(row.groups == group) & (row.members > 0)]):
                own = (row.groups == group) & (row.members == member)
                answer = row.ids[own][row.labels[own] != IGNORED]
                found.append((tokenizer.decode([*prefix, *row.ids[own]]), tokenizer.decode(answer)))
    return found


def test_every_source_is_drawn_by_its_weight_up_to_the_budget(folder: Path, tokenizer: Any) -> None:
    found = prepared(folder, tokenizer, tokens=20_000)
    taken = {name: counts["taken"] for name, counts in found.report.items()}
    assert taken["emotion"] == pytest.approx(2 * taken["reranking"], rel=0.5)
    assert 20_000 <= sum(len(row.ids) for row in found.train) < 20_000 + 512
    assert all(len(row.ids) <= 512 for row in found.train)
    assert 1 <= len(found.held_out) <= 2
    assert found.report["emotion"]["in an evaluation set"] > 0
    assert not any(REPEATED in shown for shown, _ in learned(found.train, tokenizer))


def test_answers_alone_are_learned_in_the_prompts_that_are_served(folder: Path, tokenizer: Any) -> None:
    answers: dict[str, Counter[str]] = {"taxonomy": Counter(), "moderation": Counter(), "reranking": Counter()}
    for shown, answer in learned(prepared(folder, tokenizer).train, tokenizer):
        kind = "moderation" if "moderator" in shown else "reranking" if "judge search results" in shown else "taxonomy"
        answers[kind][answer.replace("<|im_end|>", "").strip()] += 1
    assert set(answers["moderation"]) == {"A", "C"}
    assert set(answers["reranking"]) == {"Yes", "No"}
    assert set(answers["taxonomy"]) == {"anger", "joy", "Yes", "No"}


def test_a_set_says_nothing_against_what_others_are_about(folder: Path, tokenizer: Any) -> None:
    asked = {"none": "A", "hate": "B", "sexism": "C", "harassment": "D"}
    for row in prepared(folder, tokenizer).train:
        opened: dict[int, set[str]] = {}
        for place, token in row.open.tolist():
            opened.setdefault(place, set()).add(tokenizer.decode([token]).strip())
        for place, letters in opened.items():
            assert tokenizer.decode([row.labels[place]]).strip() in ("A", "C")  # EDOS
            assert letters == {asked["hate"], asked["harassment"]}
        letters = [p for p in np.flatnonzero(row.labels != IGNORED) if tokenizer.decode([row.ids[p]]).strip() in "AC"]
        assert len(opened) == len(letters)


def test_a_rarer_label_weighs_more_and_sources_alike_where_they_are_asked_to(folder: Path, tokenizer: Any) -> None:
    weights: dict[str, set[float]] = {}
    for row in prepared(folder, tokenizer, evenness=1.0).train:
        places = np.flatnonzero(row.labels != IGNORED)
        for place in places:
            weights.setdefault(tokenizer.decode([row.ids[place]]).strip(), set()).add(
                round(float(row.weights[place]), 3)
            )
    (rare,), (common,) = weights["C"], weights["A"]
    assert rare / common == pytest.approx(np.sqrt(3), rel=0.01)
    # anger and joy are one token and what ends a turn: an example weighs 1 in all.
    assert max(weights["joy"]) < 0.7


def test_other_words_where_the_recipe_asks_for_them(folder: Path, tokenizer: Any) -> None:
    own, half = ([s for s, _ in learned(prepared(folder, tokenizer, reword=r).train, tokenizer)] for r in (0.0, 0.5))
    question = "Which category is the emotion of this note?"
    emotions = [shown for shown in half if "anger" in shown]
    assert all(question in shown for shown in own if "anger, joy" in shown)
    assert 0.2 < sum(question not in shown for shown in emotions) / len(emotions) < 0.8
    assert own == [s for s, _ in learned(prepared(folder, tokenizer).train, tokenizer)], "the same every time"
