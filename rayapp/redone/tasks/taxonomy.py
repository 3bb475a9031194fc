"""Note-Taxonomy: which of the candidate categories a note belongs to; one level, or a path of three."""

from __future__ import annotations

from collections.abc import Sequence

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.task import Choice

LEVELS = " | "


class TaxonomySingle(Choice):
    name, family = "taxonomy_single", "taxonomy"


class TaxonomyMultiple(Choice):
    """Exact match of "primary | secondary | tertiary"."""

    name, family, metric, max_tokens = "taxonomy_multiple", "taxonomy", "exact match", 48


def taxonomy(note: str, categories: Sequence[str], answer: str, *, about: str, source: str) -> Example:
    """`about`: what the categories are of (the emotion, the topic, …)."""
    instruction = f"Which category is {about} of this note? Categories: {', '.join(categories)}."
    return Example(
        TaxonomySingle.name,
        f"{instruction}\nNote: {one_line(note)}",
        answer,
        tuple(categories),
        note=note,
        source=source,
        instruction=instruction,
    )


def taxonomy_path(note: str, paths: Sequence[Sequence[str]], answer: Sequence[str], source: str) -> Example:
    """`paths`: the candidates, three levels each."""
    options = [LEVELS.join(path) for path in paths]
    listed = "\n".join(options)
    question = (
        f"Which category is this note in? Answer with one of these lines: primary{LEVELS}secondary{LEVELS}tertiary.\n"
        f"{listed}\nNote: {one_line(note)}"
    )
    return Example(TaxonomyMultiple.name, question, LEVELS.join(answer), tuple(options), note=note, source=source)
