from __future__ import annotations

import numpy as np
import pytest

from rayapp.moderation.fast.ngrams import CHARACTERS, WORDS, ngram_rows, plain


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("K1LL", "kill"),
        ("h4te and st0p", "hate and stop"),
        ("i d i o t", "idiot"),
        ("ｆｒｅｅ money", "free money"),
        ("stuuuuupid", "stuupid"),
        ("see https://a.example/x?y=1 now", "see  httplink  now"),
        ("buy at cheap-shoes.example.com/now", "buy at  httplink "),
        ("@somebody_1 hi", " @someone  hi"),
        ("call 0800 123", "call 0 0"),
    ],
)
def test_a_note_is_seen_as_its_reader_sees_it(written: str, read: str) -> None:
    assert plain(written) == read


@pytest.mark.parametrize("ordinary", ["mp3 player", "covid19", "b2b", "i'm 30", "r&b!", "5k plan"])
def test_digits_that_are_digits_stay(ordinary: str) -> None:
    digits_folded = "".join("0" if c.isdigit() else c for c in ordinary)
    assert plain(ordinary).replace("00", "0") == digits_folded.replace("00", "0")


def test_every_script_has_n_grams_and_every_half_a_length_of_one() -> None:
    rows = ngram_rows(["you are kind", "你真好", "🙂", ""])
    assert rows.shape == (4, CHARACTERS + WORDS)
    lengths = np.sqrt(rows.multiply(rows).sum(1)).A1
    assert lengths == pytest.approx([2**0.5, 2**0.5, 2**0.5, 0.0])
    assert (ngram_rows(["you are kind"]) != rows[0]).nnz == 0
