"""Rule filter: removes text that is too short, too long, mostly not words, or repetitive.

After Rae et al. 2021 (Gopher, appendix A), with limits for notes, which are short.
"""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from rayapp.redone.tasks.texts import words
from rayapp.section import Natural, Share

_LINK = re.compile(r"https?://\S+|\[URL\]|@user|\[USER\]", re.I)


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits; shares are fractions of 1."""

    min_words: Natural = 4
    max_words: Natural = 20_000
    min_letters: Share = 0.5
    max_links: Share = 0.3
    max_top_word: Share = 0.3


def reason(text: str, rules: Rules) -> str | None:
    """The reason to remove this text; None keeps it."""
    tokens = words(text)
    if len(tokens) < rules.min_words:
        return "too short"
    if len(tokens) > rules.max_words:
        return "too long"
    solid = [c for c in text if not c.isspace()]
    if sum(c.isalpha() for c in solid) < rules.min_letters * len(solid):
        return "few letters"
    if len(_LINK.findall(text)) > rules.max_links * len(tokens):
        return "mostly links and names"
    if len(tokens) >= 10 and Counter(tokens).most_common(1)[0][1] > rules.max_top_word * len(tokens):
        return "one word again and again"
    return None
