"""Examples of every task and split, from the public sets of the task, interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from rayapp.redone.public_sets import entities, forms, labelled, others, questions, questions_and_titles, tweets
from rayapp.redone.tasks.example import Example

Reader = Callable[[Path, str, int], Iterator[Example]]
# Chinese sets stand apart: a model whose base knows no Chinese is not aimed at them.
ENGLISH: dict[str, Reader] = {
    "emotion": labelled.emotion,
    "irony": labelled.irony,
    "stance": labelled.stance,
    "sexism": labelled.sexism_paths,
    "hashtag": tweets.hashtags,
    "answers_query": questions_and_titles.answers_query,
    "query_grades": questions_and_titles.query_grades,
    "sentences_asked": questions.sentences_asked,
    "options_asked": questions.options_asked,
    "entities": entities.entities,
    "readers": others.readers,
    "highlights": questions_and_titles.highlights,
    "next_query": questions_and_titles.next_query,
}
CHINESE: dict[str, Reader] = {"chinese_grades": others.chinese_grades, "translation": others.translations}
# Their answers have to be found first, or rewarded.
UNANSWERED: dict[str, Reader] = {"forms": forms.forms}
SETS = {**ENGLISH, **CHINESE, **UNANSWERED}


def examples(folder: Path, name: str, split: str, limit: int | None = None, *, seed: int = 0) -> list[Example]:
    """At most `limit` examples of a set, deterministic; a smaller limit gives a prefix of a larger one. Raises
    UserError."""
    return list(islice(SETS[name](folder, split, seed), limit))
