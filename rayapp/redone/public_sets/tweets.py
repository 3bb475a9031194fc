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
    tweets = [row["text"] for row in rows(folder, "tweeteval/emoji.parquet", split)]
    tagged = [(text, list(dict.fromkeys(tag.casefold() for tag in _TAG.findall(text)))) for text in tweets]
    tagged = [(text, tags) for text, tags in tagged if 1 <= len(tags) <= 3]
    pool = sorted({tag for _, tags in tagged for tag in tags})
    for (text, tags), rng in shuffled(tagged, seed):
        note = " ".join(_TAG.sub(" ", text).split())
        if len(note) < 20 or any(tag in note.casefold() for tag in tags):  # too little, or the tag gives itself away
            continue
        count = (CANDIDATES if len(tags) == 1 else CANDIDATES_OF_SEVERAL) - len(tags)
        others = [tag for tag in (pool[n] for n in rng.integers(len(pool), size=3 * count)) if tag not in tags]
        shown = [*tags, *dict.fromkeys(others)][: len(tags) + count]
        yield hashtag(note, [shown[n] for n in rng.permutation(len(shown))], tags, SOURCE)
