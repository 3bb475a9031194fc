"""Near duplicates by MinHash (Broder 1997; the library is datasketch)."""

from __future__ import annotations

from datasketch import MinHash, MinHashLSH

from rayapp.redone.tasks.texts import words

PERMUTATIONS = 64
SHINGLE = 3  # words


class Duplicates:
    """An index of the texts seen; the first of a group of near duplicates is new. `threshold`: Jaccard similarity of
    word shingles."""

    def __init__(self, threshold: float = 0.8) -> None:
        self.index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self.count = 0

    def is_new(self, text: str) -> bool:
        sketch = MinHash(PERMUTATIONS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in shingles(text)])
        if self.index.query(sketch):
            return False
        self.index.insert(self.count, sketch)
        self.count += 1
        return True


def shingles(text: str) -> set[str]:
    tokens = words(text)
    return {" ".join(tokens[n : n + SHINGLE]) for n in range(max(1, len(tokens) - SHINGLE + 1))}
