"""What a reader of a note would search next (Note-QueryGen of the RedOne paper): the question and its answers."""

from __future__ import annotations

from typing import Any

from rayapp.llm.prompt import PLACE, Prompt, one_line
from rayapp.search.understanding import normal

QUERIES = 5
MAX_TOKENS = 80  # of the answer
NOTE_TOKENS = 160
EXAMPLES = f"""\
Notes from a social network, and what readers searched after reading them.

note: My first sourdough loaf. It came out flat, but it tasted good
searches: sourdough starter feeding; why is my bread flat; sourdough for beginners; bread proofing time

note: Three days in Lisbon with kids. Trams, castles and a lot of ice cream
searches: Lisbon with children; best ice cream in Lisbon; tram 28 tickets; castles in Portugal

note: Repotting my monstera. New soil, bigger pot, one broken leaf
searches: monstera care; best soil for houseplants; when to repot plants; fix a broken leaf

note: {PLACE}
searches:"""
_PART = "[^\\n;:<>{}]{3,60}"
FORM = rf" {_PART}(; {_PART}){{0,{QUERIES - 1}}}\n"


class PostViewPrompt:
    """The question for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.prompt = Prompt.continued(tokenizer, EXAMPLES)

    def ids(self, note: str) -> list[int]:
        """Token ids of the whole prompt."""
        return self.prompt.fill(self.prompt.text_ids(one_line(note), NOTE_TOKENS))


def queries_of(answer: str, title: str) -> list[str]:
    """The model's answer as queries: none twice (case and the order of words do not count), none that is the title."""
    parts = answer.split(";")
    if not answer.endswith("\n"):  # cut off at MAX_TOKENS: the last one is half a query
        parts = parts[:-1]
    kept: dict[tuple[str, ...], str] = {_words(title): ""}
    for text in parts:
        if _words(text):
            kept.setdefault(_words(text), one_line(text))
    return [text for text in kept.values() if text]


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(normal(text).split()))
