"""Character and word n-grams of a note, hashed: what a spelling says, in any script."""

from __future__ import annotations

import re
from typing import Any

from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from rayapp.moderation.as_read import as_read

LINK = re.compile(
    r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io|xyz|top|info|biz|ru|cn|co|me|shop|link)\b\S*"
)
MENTION = re.compile(r"(?<!\w)@\w+")
DIGITS = re.compile(r"\d+")
CHARACTERS, WORDS = 2**17, 2**16


def plain(text: str) -> str:
    """As a reader sees it, in lower case, one form for every link, mention and number."""
    lower = LINK.sub(" httplink ", as_read(text).lower())
    return DIGITS.sub("0", MENTION.sub(" @someone ", lower))


def _hashed(**settings: Any) -> Any:
    return HashingVectorizer(lowercase=False, alternate_sign=False, norm="l2", binary=True, **settings)


_characters: Any = _hashed(analyzer="char_wb", ngram_range=(1, 5), n_features=CHARACTERS)
_words: Any = _hashed(analyzer="word", ngram_range=(1, 2), n_features=WORDS, token_pattern=r"(?u)\b\w+\b|[^\w\s]")


def ngram_rows(texts: list[str]) -> Any:
    """A sparse matrix [N, CHARACTERS + WORDS], each half of every row of length 1."""
    plains = [plain(text) for text in texts]
    return sparse.hstack([_characters.transform(plains), _words.transform(plains)], format="csr")
