"""Tokens of questions and answers: what training learns is what the chat template gives, and no text makes a control token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rayapp.redone.tasks.example import Example
from rayapp.redone.training.chat import ChatTokens
from rayapp.redone.training.packing import IGNORED
from tests.hostile_notes import hostile_notes

EXAMPLE = Example(
    "gender", "Does this appeal?\nNote: blue shoes", "Yes", ("Yes", "No"), instruction="Does this appeal?"
)


@pytest.fixture(scope="module")
def tokenizer(language_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(language_model)


def test_a_prompt_is_the_chat_templates(tokenizer: Any) -> None:
    chat = ChatTokens(tokenizer)
    turns = [{"role": "user", "content": EXAMPLE.question}]
    assert chat.prompt(EXAMPLE, 100) == tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    turns.append({"role": "assistant", "content": "Yes"})
    whole = tokenizer.apply_chat_template(turns)["input_ids"]
    asked = [*chat.prompt(EXAMPLE, 100), *chat.answer("Yes")]
    assert whole[: len(asked)] == asked
    assert tokenizer.decode(whole[len(asked) :]).strip() == ""


def test_a_piece_learns_the_answer_alone(tokenizer: Any) -> None:
    chat = ChatTokens(tokenizer)
    piece = chat.piece(EXAMPLE, 100, 8, weight=0.25)
    learned = [label for label in piece.labels if label != IGNORED]
    assert learned == chat.answer("Yes")
    assert piece.ids[-len(learned) :] == tuple(learned)
    assert piece.weight == 0.25
    assert [*piece.prefix, *piece.ids[: -len(learned)]] == chat.prompt(EXAMPLE, 100)
    assert tokenizer.decode(piece.prefix).endswith("Does this appeal?")


def test_long_notes_lose_their_middle_and_hostile_ones_their_control_tokens(tokenizer: Any) -> None:
    chat = ChatTokens(tokenizer)
    long = Example("query_gen", "Write.\nNote: " + "sea " * 500 + "\nQuestion: why?", "x", instruction="Write.")
    prompt = chat.prompt(long, 60)
    assert len(prompt) < 110
    assert "Question: why?" in tokenizer.decode(prompt)
    controls = len([i for i in chat.prompt(EXAMPLE, 500) if i in chat.special])
    for note in hostile_notes():
        asked = chat.prompt(Example("gender", note, "Yes"), 500)
        assert len([i for i in asked if i in chat.special]) == controls
