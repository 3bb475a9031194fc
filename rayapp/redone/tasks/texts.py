"""Text comparison: words, overlap, ROUGE, BLEU, edit distance, and F1 of sets that may be empty."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

EMPTY = "[]"
# Words, and single characters of scripts that are written without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:'\w+)?")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def words(text: str) -> list[str]:
    """Lower-case words; of Chinese, Japanese and Korean its characters."""
    return _WORD.findall(text.casefold())


def sentences(text: str) -> list[str]:
    """Split after end marks that a space follows, and at line breaks."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def overlap(first: str, second: str) -> float:
    """Share of the words of `first` that are in `second`."""
    mine = words(first)
    theirs = set(words(second))
    return sum(word in theirs for word in mine) / len(mine) if mine else 0.0


def rouge(answer: str, reference: str) -> tuple[float, float, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L, F-measures of 0 to 1 (Lin 2004)."""
    from torchmetrics.functional.text import rouge_score

    scores = rouge_score(
        answer, reference, rouge_keys=("rouge1", "rouge2", "rougeL"), normalizer=lambda text: text, tokenizer=words
    )
    return tuple(float(scores[f"rouge{n}_fmeasure"]) for n in ("1", "2", "L"))  # type: ignore[return-value]


def bleu(answer: str, reference: str) -> float:
    """Sentence BLEU of 0 to 1, of words or characters, exponentially smoothed (sacrebleu)."""
    import sacrebleu

    if not words(answer):
        return 0.0
    result = sacrebleu.sentence_bleu(" ".join(words(answer)), [" ".join(words(reference))], tokenize="none")
    return float(result.score) / 100


def anls(answer: str, reference: str, threshold: float = 0.5) -> float:
    """Normalised Levenshtein similarity of 0 to 1, nothing below `threshold` (Biten et al. 2019)."""
    value = Levenshtein.normalized_similarity(answer.strip().casefold(), reference.strip().casefold())
    return value if value >= threshold else 0.0


def word_f1(answer: str, reference: str) -> float:
    """F1 of bags of words, 0 to 1 (SQuAD)."""
    mine, theirs = words(answer), words(reference)
    common = sum(min(mine.count(w), theirs.count(w)) for w in set(mine))
    return 2 * common / (len(mine) + len(theirs)) if common else float(not mine and not theirs)


def listed(answer: str) -> list[str] | None:
    """The items of an answer, separated by semicolons or lines; empty for "[]", None if it is no list."""
    text = answer.strip()
    if text in (EMPTY, "none", "None"):
        return []
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    parts = [part.strip().strip("\"'-*• ") for part in re.split(r"[;,\n、，；]", text)]
    return list(dict.fromkeys(part for part in parts if part)) or None


def set_counts(predicted: Collection[str], reference: Collection[str]) -> tuple[int, int, int]:
    """(true positives, false positives, false negatives); an empty prediction for an empty reference counts as one
    true positive, as in SNS-Bench (always answering [] scores 67.6 on Note-CHLW)."""
    mine = {item.casefold() for item in predicted} or {EMPTY}
    theirs = {item.casefold() for item in reference} or {EMPTY}
    return len(mine & theirs), len(mine - theirs), len(theirs - mine)


def micro_f1(counts: Sequence[tuple[int, int, int]]) -> float:
    """Micro-averaged F1, 0 to 1, from summed counts."""
    tp, fp, fn = np.asarray(counts, dtype=float).reshape(-1, 3).sum(0)
    return float(2 * tp / (2 * tp + fp + fn)) if tp else 0.0
