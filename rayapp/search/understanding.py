"""What a search query wants: intent, spelling, expansions, as RedOne says it in a fixed form.

The question is text to be gone on with and the answer is held to a regular
expression: a small model answers that well and fills in JSON badly.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any

import msgspec

from rayapp.llm.prompt import PLACE, Prompt, one_line

# Broder, A taxonomy of web search (SIGIR Forum 2002).
INTENTS = ("informational", "navigational", "transactional")
EXPANSIONS = 3
MAX_TOKENS = 72  # of the answer
QUERY_TOKENS = 64
NEAR = 0.75  # a correction has this much of the query's letters, otherwise it is another query
EXAMPLES = f"""\
Searches on a social network, each with its correct spelling, its intent and similar searches.

query: cheep runing shoes
spelling: cheap running shoes
intent: transactional
similar: budget sneakers; affordable jogging trainers; discount sports footwear

query: how to sleep better
spelling: how to sleep better
intent: informational
similar: insomnia tips; falling asleep faster; good night rest

query: museums in pariss
spelling: museums in Paris
intent: navigational
similar: Louvre visit; Paris art galleries; exhibitions in France

query: gitar lessons
spelling: guitar lessons
intent: informational
similar: learn to play chords; guitar for beginners; music teacher

query: {PLACE}
"""
_PART = "[^\\n;:<>{}]{3,40}"
FORM = (
    rf"spelling: [^\n<>{{}}]{{1,80}}\nintent: ({'|'.join(INTENTS)})\n"
    rf"similar: {_PART}(; {_PART}){{0,{EXPANSIONS - 1}}}\n"
)
_ANSWER = re.compile(rf"spelling: (.+)\nintent: ({'|'.join(INTENTS)})\nsimilar: (.+)")


class Understanding(msgspec.Struct, frozen=True):
    """`intent` None: the model's answer could not be used. `spelling` None: the query is well spelt."""

    intent: str | None = None
    spelling: str | None = None
    expansions: tuple[str, ...] = ()


class QueryPrompt:
    """The question for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.prompt = Prompt.continued(tokenizer, EXAMPLES)

    def ids(self, query: str) -> list[int]:
        """Token ids of the whole prompt."""
        return self.prompt.fill(self.prompt.text_ids(one_line(query), QUERY_TOKENS))


def normal(query: str) -> str:
    """One spelling of queries that are the same: case and spaces do not count."""
    return one_line(query).casefold()


def understood(answer: str, query: str) -> Understanding:
    """The model's answer, less what is of no use: repetitions, and corrections that are other queries."""
    found = _ANSWER.match(answer)
    if found is None:  # cut off at MAX_TOKENS
        return Understanding()
    asked, spelling = normal(query), one_line(found[1])
    if normal(spelling) == asked or SequenceMatcher(None, asked, normal(spelling)).ratio() < NEAR:
        spelling = ""
    expansions = {normal(text): one_line(text) for text in found[3].split(";")}
    kept = [text for key, text in expansions.items() if key not in ("", asked, normal(spelling))]
    return Understanding(found[2], spelling or None, tuple(kept[:EXPANSIONS]))
