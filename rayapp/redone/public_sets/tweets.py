"""Note-Hashtag from tweets that carry hashtags: their own tags are the answer, other tweets' the distractors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rayapp.redone.public_sets.rows import rows, shuffled
from rayapp.redone.tasks.example import Example
from rayapp.redone.tasks.hashtag import hashtag

CANDIDATES = 4
CANDIDATES_OF_SEVERAL = 8
SOURCE = "TweetEval emoji"
_TAG = re.compile(r"#(\w{3,30})")


def hashtags(folder: Path, split: str, seed: int) -> Iterator[Example]:
    """Tweets with one tag ask for one, those with two or three for all of them."""
    found = [row["text"] for row in rows(folder, "tweeteval/emoji.parquet", split)]
    tagged = [(text, list(dict.fromkeys(tag.casefold() for tag in _TAG.findall(text)))) for text in found]
    tagged = [(text, own) for text, own in tagged if 1 <= len(own) <= 3]
    pool = sorted({tag for _, own in tagged for tag in own})
    for (text, own), rng in shuffled(tagged, seed):
        note = " ".join(_TAG.sub(" ", text).split())
        if len(note) < 20 or any(tag in note.casefold() for tag in own):  # too little, or the tag gives itself away
            continue
        count = (CANDIDATES if len(own) == 1 else CANDIDATES_OF_SEVERAL) - len(own)
        others = [tag for tag in (pool[n] for n in rng.integers(len(pool), size=3 * count)) if tag not in own]
        shown = [*own, *dict.fromkeys(others)][: len(own) + count]
        yield hashtag(note, [shown[n] for n in rng.permutation(len(shown))], own, SOURCE)
