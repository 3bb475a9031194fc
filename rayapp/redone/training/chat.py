"""Examples as tokens: identical in training, evaluation and, through the chat template, in serving."""

from __future__ import annotations

from typing import Any

from rayapp.llm.prompt import PLACE
from rayapp.redone.tasks.example import Example
from rayapp.redone.training.packing import IGNORED, Piece


class ChatTokens:
    """Tokenisation with one tokenizer. A question is its task's instruction (a shared prefix) and the rest."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.special = frozenset(tokenizer.all_special_ids)
        if tokenizer.chat_template:
            turn = [{"role": "user", "content": PLACE}]
            whole = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
            closed = [*turn, {"role": "assistant", "content": "answer"}]
            ended = tokenizer.apply_chat_template(closed, tokenize=False)
            self.end = tokenizer.encode(ended.rpartition("answer")[2].strip(), add_special_tokens=False)
        else:
            whole, self.end = f"{PLACE}\n", [tokenizer.eos_token_id]
        self.before, _, after = whole.partition(PLACE)
        self.after = tokenizer.encode(after, add_special_tokens=False)
        self._prefixes: dict[str, tuple[int, ...]] = {}

    def question(self, example: Example, limit: int) -> tuple[tuple[int, ...], list[int]]:
        """(prefix, rest) of token ids up to where the answer begins; the rest has at most `limit` tokens.

        A longer rest is cut in the middle, because instructions are at either end. Control tokens in the text are
        removed."""
        instruction, rest = example.instruction, example.question[len(example.instruction) :]
        if instruction not in self._prefixes:
            self._prefixes[instruction] = tuple(self._encode(self.before) + self._text(instruction))
        ids = self._text(rest)
        if len(ids) > limit:
            ids = ids[: limit - limit // 4] + ids[-(limit // 4) :]
        return self._prefixes[instruction], [*ids, *self.after]

    def prompt(self, example: Example, limit: int) -> list[int]:
        prefix, rest = self.question(example, limit)
        return [*prefix, *rest]

    def answer(self, text: str) -> list[int]:
        """An answer with the end of its turn."""
        return [*self._text(text), *self.end]

    def piece(self, example: Example, limit: int, answer_limit: int, weight: float = 1.0) -> Piece:
        """`weight`: loss weight of each answer token."""
        prefix, rest = self.question(example, limit)
        answer = self.answer(example.answer)[:answer_limit]
        labels = (*[IGNORED] * len(rest), *answer)
        return Piece(prefix, (*rest, *answer), labels, weight)

    def _text(self, text: str) -> list[int]:
        return [i for i in self._encode(text) if i not in self.special]

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))
