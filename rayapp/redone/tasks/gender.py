"""Note-Gender: whether a note appeals to readers of one gender more than to others."""

from __future__ import annotations

from rayapp.llm.prompt import one_line
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.query_corr import YES_NO
from rayapp.redone.tasks.task import Choice


class Gender(Choice):
    name, family, max_tokens = "gender", "gender", 4


def gender(note: str, readers: str, yes: bool, source: str) -> Example:
    """`readers`: women, or men."""
    instruction = f"Does this note appeal to {readers} more than to others? Answer Yes or No."
    question = f"{instruction}\nNote: {one_line(note)}"
    return Example(Gender.name, question, YES_NO[not yes], YES_NO, note, readers, source, instruction)
