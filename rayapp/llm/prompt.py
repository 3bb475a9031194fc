"""A prompt as token ids with a place for text that nobody vouches for.

Whatever the text says, it stays text: it stands between delimiters or on a line
of its own, is cut at a limit, and cannot contain a control token (they are taken out after
tokenisation, so no spelling gets past).
"""

from __future__ import annotations

from typing import Any

from rayapp.errors import UserError

PLACE = "\u241f"  # where the text stands while the chat template is filled in; a control picture, in no template
MARKED = f"<<<\n{PLACE}\n>>>"


class PromptError(UserError):
    """This model's tokenizer cannot ask this question."""


class Prompt:
    """What all prompts of a kind share stands before the text, so that the engine computes it once."""

    def __init__(self, tokenizer: Any, system: str, user: str = MARKED, answer: str = "") -> None:
        """`user` contains PLACE; `answer`: how the model's answer begins. Raises PromptError."""
        if tokenizer.chat_template:
            messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            whole = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        else:
            whole = f"{system}\n\n{user}\n"
        self._split(tokenizer, whole + answer)

    @classmethod
    def continued(cls, tokenizer: Any, text: str) -> Prompt:
        """Text to go on with, examples above and PLACE below, outside the chat template: small models do that best."""
        prompt = cls.__new__(cls)
        prompt._split(tokenizer, text)
        return prompt

    def _split(self, tokenizer: Any, whole: str) -> None:
        self.tokenizer = tokenizer
        self.special = frozenset(tokenizer.all_special_ids)
        before, found, after = whole.partition(PLACE)
        if not found:
            raise PromptError(
                "the model's chat template leaves the user's text out; give a model with another template"
            )
        self.prefix = tuple(tokenizer.encode(before, add_special_tokens=False))
        self.suffix = tuple(tokenizer.encode(after, add_special_tokens=False))

    def fill(self, text: list[int]) -> list[int]:
        """The whole prompt around the tokens of `text_ids`."""
        return [*self.prefix, *text, *self.suffix]

    def text_ids(self, text: str, limit: int) -> list[int]:
        """Text without control tokens, at most `limit` tokens."""
        # No tokenizer makes fewer than one token of sixteen characters of prose; a cheap cut before the exact one.
        return self.token_ids(text[: 16 * limit])[:limit]

    def token_ids(self, text: str) -> list[int]:
        """All of the text without control tokens."""
        return [i for i in self.tokenizer.encode(text, add_special_tokens=False) if i not in self.special]


def answer_tokens(tokenizer: Any, answers: list[str]) -> tuple[int, ...]:
    """The token of each answer as it stands after a space. Raises PromptError when two are the same."""
    tokens = tuple(tokenizer.encode(f" {answer}", add_special_tokens=False)[-1] for answer in answers)
    if len(set(tokens)) != len(tokens):
        raise PromptError("the tokenizer lacks a token of its own for some answers; use a model with another tokenizer")
    return tokens


def one_line(text: str) -> str:
    """Without line breaks, control characters and doubled spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
